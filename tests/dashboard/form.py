"""Send a page's form as a browser without scripts does."""

from __future__ import annotations

from html.parser import HTMLParser


class _Reader(HTMLParser):
    """Collects what the form with the given action would send, by name, each name once (HTML, section 4.10.22)."""

    def __init__(self, action: str) -> None:
        super().__init__()
        self.fields: dict[str, str] | None = None
        self._action = action
        self._inside = False
        self._writing: str | None = None
        self._select: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and given.get("action") == self._action:
            self._inside, self.fields = True, {}
        if not self._inside or self.fields is None:
            return
        name, kind = given.get("name", ""), given.get("type", "text")
        if tag == "input" and name and kind != "file" and (kind not in {"checkbox", "radio"} or "checked" in given):
            self.fields[name] = given.get("value", "on" if kind in {"checkbox", "radio"} else "")
        elif tag == "textarea":
            self._writing, self.fields[name] = name, ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and ("selected" in given or self._select not in self.fields):
            self.fields[self._select] = given["value"]

    def handle_data(self, data: str) -> None:
        if self._writing is not None and self.fields is not None:
            self.fields[self._writing] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._writing is not None and self.fields is not None:
            # One line break after the tag belongs to the markup, and all others are sent as CR and LF.
            text = self.fields[self._writing].removeprefix("\n")
            self.fields[self._writing], self._writing = text.replace("\r\n", "\n").replace("\n", "\r\n"), None
        elif tag == "select":
            self._select = None
        elif tag == "form":
            self._inside = False


def fields_of(page: str, action: str) -> dict[str, str]:
    """What the form of a page sends that nobody has touched."""
    reader = _Reader(action)
    reader.feed(page)
    assert reader.fields is not None, page
    return reader.fields
