"""What a page of HTML refers to."""

from html.parser import HTMLParser


class References(HTMLParser):
    """Everything that a page loads or links to, and whether it has scripts or styles of its own."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.inline: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        found = self.links if tag == "a" else self.loaded
        found += [value or "" for name, value in attrs if name in {"src", "href", "action", "srcset"}]
        self.inline += [name for name in attributes if name.startswith("on") or name == "style"]
        if tag == "style" or (tag == "script" and "src" not in attributes):
            self.inline.append(tag)
