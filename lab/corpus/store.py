"""Measured pages on disk, so that a hundred thousand of them take no memory: written once, then looked at at random.

<folder>/pages.jsonl     one page a line: id, url, the HTML's beginning, the text, what was cut, languages
<folder>/values.f32      [N, 2, R]: the value of every rule, as extracted and after C4's step; NaN where there is none
<folder>/buckets.u64     [N, 2, 14]          <folder>/sizes.u64   [N, 3]: where the line ends, tokens of both texts
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from lab.corpus.measure import ON_TEXT, Measured
from lab.corpus.near_duplicates import BUCKETS
from lab.corpus.page import Page
from lab.corpus.rules import ALL

NAMES = tuple(rule.name for rule in ALL)
_TEXTUAL = np.array([rule.step in ON_TEXT for rule in ALL])
HTML_KEPT = 60_000
"""Characters of a page's HTML that are kept to be looked at."""


class MeasuredPages:
    """A folder of measured pages. Opened again, it goes on after the last page that is there whole."""

    def __init__(self, folder: Path, tokens: Callable[[str], int] | None = None) -> None:
        """`tokens` counts those of a text; without it they are its words."""
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._tokens = tokens or (lambda text: len(text.split()))
        self._rows = {"values.f32": 4 * 2 * len(NAMES), "buckets.u64": 8 * 2 * BUCKETS, "sizes.u64": 8 * 3}
        self._files: dict[str, Any] = {}
        self._writing = threading.Lock()
        self._mend()

    def __len__(self) -> int:
        return self._count

    def append(self, page: Page, found: Measured) -> None:
        """Write a page down."""
        if not self._files:
            self._files = {name: (self.folder / name).open("ab") for name in ("pages.jsonl", *self._rows)}
        line = orjson.dumps(_row(page, found)) + b"\n"
        self._end += len(line)
        values = np.full((2, len(NAMES)), np.nan, dtype=np.float32)
        values[0] = [found.values.get(name, np.nan) for name in NAMES]
        values[1] = np.where(_TEXTUAL, [found.after.get(name, np.nan) for name in NAMES], values[0])
        buckets = np.zeros((2, BUCKETS), dtype=np.uint64)
        for place, given in enumerate(found.buckets):
            buckets[place, : len(given)] = np.array(given, dtype=np.uint64)
        counts = [self._tokens(found.text), 0]
        counts[1] = counts[0] if found.cut_text == found.text else self._tokens(found.cut_text)
        sizes = np.array([self._end, *counts], dtype=np.uint64)
        whole: dict[str, np.ndarray] = {"values.f32": values, "buckets.u64": buckets, "sizes.u64": sizes}
        with self._writing:
            self._files["pages.jsonl"].write(line)
            for name, array in whole.items():
                self._files[name].write(array.tobytes())
            self._count += 1

    def flush(self) -> None:
        """Everything written so far can be read, and survives the end of this process."""
        with self._writing:
            for file in self._files.values():
                file.flush()

    def close(self) -> None:
        """Close the files."""
        with self._writing:
            for file in self._files.values():
                file.close()
            self._files = {}

    # --- reading ---------------------------------------------------------------------------------------------------

    def values(self) -> np.ndarray:
        """[N, 2, R], in the order of `NAMES`."""
        return self._read("values.f32", np.float32).reshape(-1, 2, len(NAMES))

    def buckets(self) -> np.ndarray:
        """[N, 2, 14]."""
        return self._read("buckets.u64", np.uint64).reshape(-1, 2, BUCKETS)

    def tokens(self) -> np.ndarray:
        """[N, 2]: tokens of the text as extracted, and after C4's step."""
        return self._read("sizes.u64", np.uint64).reshape(-1, 3)[:, 1:].astype(np.int64)

    def __getitem__(self, number: int) -> dict[str, Any]:
        ends = self._read("sizes.u64", np.uint64).reshape(-1, 3)[:, 0]
        start = int(ends[number - 1]) if number else 0
        with (self.folder / "pages.jsonl").open("rb") as file:
            file.seek(start)
            return orjson.loads(file.read(int(ends[number]) - start))

    def lines(self) -> Any:
        """Every page, from the first to the last."""
        self.flush()
        with (self.folder / "pages.jsonl").open("rb") as file:
            for _, line in zip(range(self._count), file):
                yield orjson.loads(line)

    def _read(self, name: str, kind: Any) -> np.ndarray:
        count = self._count
        self.flush()
        if not count:
            return np.zeros(0, dtype=kind)
        return np.fromfile(self.folder / name, dtype=kind, count=count * self._rows[name] // np.dtype(kind).itemsize)

    def _mend(self) -> None:
        """Count the pages that are whole in every file, and cut off what comes after them."""
        sizes = {name: (self.folder / name) for name in self._rows}
        counts = [path.stat().st_size // self._rows[name] if path.is_file() else 0 for name, path in sizes.items()]
        self._count = min(counts)
        pages = self.folder / "pages.jsonl"
        written = pages.stat().st_size if pages.is_file() else 0
        ends = self._read("sizes.u64", np.uint64).reshape(-1, 3)[:, 0]
        self._count = int(np.searchsorted(ends, written, side="right"))
        self._end = int(ends[self._count - 1]) if self._count else 0
        for path, size in [(path, self._count * self._rows[name]) for name, path in sizes.items()] + [
            (pages, self._end)
        ]:
            if path.is_file() and path.stat().st_size > size:
                with path.open("r+b") as file:
                    file.truncate(size)


def _row(page: Page, found: Measured) -> dict[str, Any]:
    html = page.html.decode("utf-8", "replace") if isinstance(page.html, bytes) else page.html
    kept = None if html is None else html[:HTML_KEPT].encode("utf-8", "replace").decode("utf-8")
    row = {"id": page.id, "url": page.url, "html": kept, "text": found.text, "problem": found.problem}
    same = found.cut_text == found.text
    more = {"cut_text": None if same else found.cut_text, "cut": {str(n): rule for n, rule in found.cut.items()}}
    return row | more | {"languages": found.languages, "address": found.address}
