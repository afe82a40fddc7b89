"""The page on embedding: its example of a refusal runs, and prints what it says."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "embedding.md"


def test_the_example_of_a_refusal_prints_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    [example] = re.findall(r"```python\n(from gateway import InvalidInput.*?)```", PAGE.read_text(), re.DOTALL)
    exec(example, {})  # noqa: S102 - it is our own page.
    said = [line.removeprefix("# ") for line in example.splitlines() if line.startswith("# ")]
    assert capsys.readouterr().out.splitlines() == said
