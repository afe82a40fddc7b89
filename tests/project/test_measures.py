"""The measures of the code base that must not get worse."""

from support.measures import (
    circle,
    longest_files,
    module_imports,
    most_complex_functions,
    package_imports,
    table,
)

COMPLEXITY_MAX = 10
LINES_MAX = 300


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert circle(module_imports()) == []


def test_no_package_of_the_application_imports_itself_by_way_of_others() -> None:
    assert circle(package_imports(module_imports(), "gateway.application")) == []


def test_a_circle_is_found() -> None:
    imports = {"app.a.one": {"app.b.two"}, "app.b.two": {"app.c"}, "app.c": {"app.a.other"}, "app.a.other": set[str]()}
    assert circle(imports) == []
    assert set(circle(package_imports(imports, "app"))) == {"a", "b", "c"}


def test_no_function_is_too_complex() -> None:
    assert [each for each in most_complex_functions(10) if each[0] > COMPLEXITY_MAX] == []


def test_no_file_is_too_long() -> None:
    assert [each for each in longest_files(10) if each[0] > LINES_MAX] == []


def test_each_measure_has_a_value() -> None:
    lines, _ = longest_files(1)[0]
    assert f"| {lines} lines: `" in table()
    assert "| most complex function (ruff C901) | " in table()
