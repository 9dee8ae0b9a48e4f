"""Text from HTML, by trafilatura as FineWeb uses it: precision before recall, no comments.

Its own removal of duplicates is off: that memory belongs to the process, and the same page would give another text the
second time.
"""

from __future__ import annotations

import logging
from typing import Any


def text_of(html: str) -> str:
    """The main text of a page; empty where there is none."""
    extract = _trafilatura().extract
    found = extract(html, favor_precision=True, include_comments=False, deduplicate=False)
    return (found or "").strip()


def _trafilatura() -> Any:
    import trafilatura

    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # a page without text is a finding, no error
    return trafilatura


def decoded(raw: bytes) -> str:
    """Bytes of a page as text: by byte order mark, by what the page says, as UTF-8, as Windows-1252."""
    import re

    for mark, name in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if raw.startswith(mark):
            return raw.decode(name, "replace")
    said = re.search(rb"charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{2,40})", raw[:4096])
    for name in (said.group(1).decode("ascii") if said else "", "utf-8", "cp1252"):
        try:
            return raw.decode(name) if name else raw.decode("utf-8")
        except (LookupError, UnicodeDecodeError, ValueError):
            continue
    return raw.decode("utf-8", "replace")
