"""A page as it comes in: HTML or a text, its address, and a name of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lab.errors import DataError


@dataclass(frozen=True, slots=True)
class Page:
    """One page. `html` is what was crawled (bytes before their encoding is known); a page without it is already text.
    `problem` says why there is nothing to read, where something could not be read."""

    id: str
    url: str = ""
    html: str | bytes | None = None
    text: str = ""
    problem: str = ""

    @classmethod
    def of(cls, value: Any, number: int) -> Page:
        """A page from what people have: a `Page`, a `WebPage` of the world, a row with `html` or `text`, a text.

        Raises `DataError` for anything else.
        """
        if isinstance(value, Page):
            return value
        if isinstance(value, str):
            return cls(f"page-{number}", text=value)
        row = value if isinstance(value, Mapping) else {name: getattr(value, name, None) for name in _FIELDS}
        html, text = row.get("html"), row.get("text")
        if not isinstance(html, (str, bytes)) and not isinstance(text, str):
            raise DataError(f"Page {number} is a {type(value).__name__} without `html` or `text`.")
        url = str(row.get("url") or "")
        name = str(row.get("id") or url or f"page-{number}")
        return cls(name, url, html if isinstance(html, (str, bytes)) else None, text if isinstance(text, str) else "")

    @property
    def size(self) -> int:
        """Bytes of it, about."""
        return len(self.html) if self.html is not None else len(self.text)


_FIELDS = ("id", "url", "html", "text")


def pages_of(values: Iterable[Any]) -> Iterator[Page]:
    """Pages with names of their own: a name that comes again gets a number behind it."""
    seen: dict[str, int] = {}
    for number, value in enumerate(values, 1):
        page = Page.of(value, number)
        times = seen[page.id] = seen.get(page.id, 0) + 1
        if times == 1:
            yield page
        else:
            yield Page(f"{page.id}~{times}", page.url, page.html, page.text, page.problem)
