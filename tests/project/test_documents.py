"""The documents of the repository: their links resolve, and the index of decisions is complete."""

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
DECISIONS = ROOT / "docs" / "decisions"
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def tokens(document: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(document.read_text(encoding="utf-8"))


def links(document: Path) -> Iterator[str]:
    for token in chain.from_iterable(token.children or () for token in tokens(document)):
        if target := token.attrs.get("href") or token.attrs.get("src"):
            yield str(target)


def anchors(document: Path) -> set[str]:
    """The anchors of the headings, as GitHub and GitLab make them of the text."""
    found = tokens(document)
    headings = [found[index + 1].content for index, token in enumerate(found) if token.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def title(record: Path) -> str:
    return record.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")


def records() -> list[Path]:
    return sorted(DECISIONS.glob("[0-9]*.md"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_resolves(document: Path) -> None:
    broken = []
    for link in links(document):
        parts = urlsplit(link)
        if parts.scheme:
            continue
        target = (document.parent / parts.path).resolve() if parts.path else document
        if not target.exists() or (parts.fragment and parts.fragment not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_the_index_lists_every_decision_with_its_number_and_title() -> None:
    row = re.compile(r"\| (\d+) \| \[(.+?)\]\((.+?)\) \| (.+\.) \|")
    listed = [
        (f"{number}. {name}", file)
        for number, name, file, _ in row.findall((DECISIONS / "README.md").read_text(encoding="utf-8"))
    ]
    assert listed == [(title(record), record.name) for record in records()]


def test_the_number_of_a_decision_is_the_one_in_the_name_of_its_file() -> None:
    numbers = [int(record.name[:4]) for record in records()]
    assert numbers == [int(title(record).split(".")[0]) for record in records()]
    assert len(set(numbers)) == len(numbers)


def test_decisions_that_the_code_names_exist() -> None:
    named = {
        number
        for source in (ROOT / "src").rglob("*.py")
        for number in re.findall(r"docs/decisions/(\d{4})", source.read_text(encoding="utf-8"))
    }
    assert named
    assert named <= {record.name[:4] for record in records()}
