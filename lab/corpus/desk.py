"""The cleanings of a workspace: pages being measured in a thread, found again after a restart, looked at meanwhile.

<workspace>/corpus/<id>/     what lab/corpus/store.py writes, about.json, and original/<file> of a person's own pages
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

from lab.corpus.cleaning import Cleaning, Result
from lab.corpus.page import Page
from lab.corpus.rules import RULES, Rules
from lab.corpus.sources import read_pages
from lab.corpus.store import MeasuredPages
from lab.errors import DataError, LabError
from lab.run_dir import write_json

WORLD_PAGES = 600
_LANGUAGES = ("en", "es", "de", "fr", "it", "pt", "nl")


class Keeps(Protocol):
    """Where documents become a data set: `Datasets.add`."""

    def __call__(self, path: Path, name: str, format: str) -> Any:
        """Store a file as a set."""


class _Job:
    """Pages that are being measured, or were."""

    def __init__(self, folder: Path, about: dict[str, Any], tokens: Callable[[str], int] | None) -> None:
        self.folder, self.about = folder, about
        self.store = MeasuredPages(folder, tokens)
        self.stop = threading.Event()
        self.thread: threading.Thread | None = None
        self.trouble = ""
        self.begun = (time.monotonic(), len(self.store))
        self.result: Result | None = None

    @property
    def running(self) -> bool:
        return self.thread is not None and self.thread.is_alive()


class Desk:
    """The cleanings of one workspace. Safe to use from several threads."""

    def __init__(self, folder: Path, keep: Keeps, tokens: Callable[[str], int] | None = None) -> None:
        self._folder, self._keep, self._tokens = folder, keep, tokens
        self._jobs: dict[str, _Job] = {}
        self._lock = threading.Lock()

    def start(self, source: str, language: str = "en") -> str:
        """Measure the pages of a source (`world:<number>`, or a file or folder); gives the id of the cleaning.

        The same source is not measured twice, and one that was stopped goes on. Raises `DataError` for a source that
        holds no pages.
        """
        if language not in _LANGUAGES:
            raise DataError(f"There is no language {language!r} to choose. There are: {', '.join(_LANGUAGES)}.")
        about = {"source": source, "language": language, "done": False} | self._told(source)
        id = hashlib.sha256(json.dumps([about[key] for key in ("source", "language", "stamp")]).encode()).hexdigest()[
            :12
        ]
        with self._lock:
            job = self._jobs.get(id)
            if job is None:
                job = self._jobs[id] = self._opened(id, about)
            if not job.running and not job.about["done"]:
                job.stop.clear()
                job.trouble, job.begun = "", (time.monotonic(), len(job.store))
                job.thread = threading.Thread(target=self._work, args=(job,), daemon=True, name=f"corpus {id}")
                job.thread.start()
        return id

    def progress(self, id: str) -> dict[str, Any]:
        """`pages`, `total` (0 where nobody knows), `running`, `trouble`, and `seconds` left, where that is known."""
        job = self._job(id)
        pages, total = len(job.store), job.about["total"] or 0
        seconds, measured = time.monotonic() - job.begun[0], pages - job.begun[1]
        left = (total - pages) * seconds / measured if job.running and total and measured > 5 else None
        about = {"pages": pages, "total": total, "running": job.running, "trouble": job.trouble, "seconds": left}
        return about | {"source": job.about["name"], "stopped": not job.running and not job.about["done"]}

    def result(self, id: str, rules: Rules = RULES) -> Result:
        """What the rules make of the pages that are measured by now."""
        job = self._job(id)
        if job.result is None or len(job.result) != len(job.store):
            job.result = Result(job.store, rules)
        return job.result if job.result.rules is rules else job.result.with_rules(rules)

    def stop(self, id: str) -> None:
        """Stop after the page that is being measured; what is measured stays."""
        self._job(id).stop.set()

    def keep(self, id: str, rules: Rules, name: str) -> int:
        """Store the documents that the rules keep as a data set; gives how many. Raises `DataError` when there are
        none, or when the name is taken."""
        kept = self.result(id, rules).kept
        if not len(kept):
            raise DataError("These rules keep no document. Loosen one of them first.")
        return self._store(((document.text, document.url) for document in kept), name)

    def keep_raw(self, id: str, name: str) -> int:
        """Store the text of every page as it was before cleaning, to compare with; gives how many."""
        rows = self._job(id).store.lines()
        return self._store(((row["text"], row["url"]) for row in rows if row["text"]), name)

    def _store(self, documents: Iterable[tuple[str, str]], name: str) -> int:
        count = 0
        with tempfile.TemporaryDirectory(prefix="nudge-corpus-") as folder:
            path = Path(folder) / "documents.jsonl"
            with path.open("w", encoding="utf-8") as file:
                for count, (text, url) in enumerate(documents, 1):  # noqa: B007
                    file.write(json.dumps({"text": text, "url": url}, ensure_ascii=False) + "\n")
            self._keep(path, name, "documents")
        return count

    def close(self) -> None:
        """Stop all measuring."""
        with self._lock:
            jobs = list(self._jobs.values())
        for job in jobs:
            job.stop.set()
        for job in jobs:
            if job.thread is not None:
                job.thread.join(timeout=15)

    # --- within ----------------------------------------------------------------------------------------------------

    def _told(self, source: str) -> dict[str, Any]:
        if source.startswith("world:"):
            count = source.partition(":")[2]
            if not count.isdigit() or not 1 <= int(count) <= 100_000:
                raise DataError(f"{source!r} names no pages of the world: world:1 to world:100000.")
            return {"name": "pages of the small world", "total": int(count), "stamp": "1"}
        read_pages(source)  # says at once when there is nothing to read
        path = Path(source)
        stat = path.stat()
        return {"name": path.name, "total": 0, "stamp": f"{path.name} {stat.st_size} {stat.st_mtime_ns}"}

    def _opened(self, id: str, about: dict[str, Any]) -> _Job:
        folder = self._folder / id
        known = folder / "about.json"
        try:
            return self._made(folder, known, about)
        except OSError as error:
            raise DataError(f"The pages cannot be kept in {folder}: {error.strerror or error}.") from error

    def _made(self, folder: Path, known: Path, about: dict[str, Any]) -> _Job:
        if known.is_file():
            about = about | {"done": json.loads(known.read_text(encoding="utf-8")).get("done", False)}
        elif not about["source"].startswith("world:"):
            path = Path(about["source"])
            copy = shutil.copytree if path.is_dir() else shutil.copy2
            (folder / "original").mkdir(parents=True, exist_ok=True)
            copy(path, folder / "original" / path.name)
        job = _Job(folder, about, self._tokens)
        write_json(known, about)
        return job

    def _work(self, job: _Job) -> None:
        """Measure in this thread. What goes wrong is kept for the page: there is nobody here to tell."""
        cleaning = Cleaning(job.folder, RULES, job.about["language"], tokens=self._tokens)
        try:
            cleaning.run(self._pages(job), None, job.stop.is_set, job.store)
        except (LabError, OSError) as error:
            job.trouble = str(error)
            return
        if not job.stop.is_set():
            job.about["done"] = True
            write_json(job.folder / "about.json", job.about)

    def _pages(self, job: _Job) -> Iterator[Page] | Iterator[Any]:
        if job.about["source"].startswith("world:"):
            from lab.world import World

            return World(0).crawl(job.about["total"])
        return read_pages(job.folder / "original" / Path(job.about["source"]).name)

    def _job(self, id: str) -> _Job:
        with self._lock:
            job = self._jobs.get(id)
        if job is None:
            raise DataError("These pages are not open any more. Choose them again.")
        return job
