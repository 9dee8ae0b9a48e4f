"""Texts for pretraining that are not one file: a folder of texts, and data sets on the Hugging Face Hub by streaming.

Both are written down as JSON lines of documents, which `Datasets.add` then reads like any file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from lab.errors import DataError

SUFFIXES = (".txt", ".md", ".rst", ".tex", ".py", ".js", ".c", ".h", ".html", ".csv", ".log")
"""Files of a folder that are taken as text."""
COLUMNS = ("text", "content", "document", "raw_content", "body", "code")
"""Names under which data sets keep their text, the likeliest first."""
MEGABYTES = 20.0
"""How much text is taken of a Hub data set when nothing else is said: more than a small model reads in an hour."""
ROWS_AT_ONCE = 512


def folder_documents(folder: Path) -> Iterator[str]:
    """The text of every file under `folder`, by name. Raises `DataError` when there is none."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not files:
        raise DataError(f"{folder} holds no text: files that end in {', '.join(SUFFIXES)} are looked for.")
    for file in files:
        if text := file.read_text(encoding="utf-8", errors="replace").strip():
            yield text


def hub_documents(hub_id: str, column: str = "") -> Iterator[str]:
    """The texts of a Hub data set, read over the network as far as they are taken and no further.

    `hub_id` is `org/name`, or `org/name/config` for one configuration of several. `column` names the one with the text;
    without it, one of the usual names is looked for. Raises `DataError` with what to do.
    """
    for opened in _parquet_files(hub_id):
        yield from parquet_texts(opened, column)


def parquet_texts(file: Any, column: str = "") -> Iterator[str]:
    """The texts of an open Parquet file, some rows at a time. Raises `DataError` when it has no such column."""
    import pyarrow.parquet as parquet

    with file:
        table = parquet.ParquetFile(file)
        names = table.schema_arrow.names
        wanted = [column] if column else [name for name in COLUMNS if name in names]
        if not wanted or wanted[0] not in names:
            raise DataError(f"It has no column {column or 'with a usual name for text'!r}. It has: {', '.join(names)}.")
        for batch in table.iter_batches(ROWS_AT_ONCE, columns=wanted[:1]):
            yield from (str(text) for text in batch.column(0).to_pylist() if text)


def _parquet_files(hub_id: str) -> Iterator[Any]:
    """The training split's files, opened one after the other, from the Hub's own Parquet conversion."""
    from huggingface_hub import HfFileSystem
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    org, _, rest = hub_id.partition("/")
    name, _, config = rest.partition("/")
    root = f"datasets/{org}/{name}@refs%2Fconvert%2Fparquet"
    files = HfFileSystem()
    try:
        found = sorted(path for path in files.glob(f"{root}/{config or '*'}/*/*.parquet") if "train" in str(path))
        if not found:
            raise DataError(f"There is no data set {hub_id} on the Hub with a training split, or it is private.")
        first = str(found[0]).split("/")[-3]  # one configuration: they often repeat each other
        for path in found:
            if str(path).split("/")[-3] == first:
                yield files.open(path, "rb", block_size=1 << 20)
    except (HfHubHTTPError, OfflineModeIsEnabled, OSError, ValueError) as error:
        words = str(error).strip().splitlines()
        raise DataError(
            f"{hub_id} could not be read from the Hub: {words[0] if words else type(error).__name__}"
        ) from error


class TextSource:
    """A folder of texts, or `hub:org/name`, by what a person calls it."""

    def __init__(self, reference: str) -> None:
        """Raises `DataError` for neither."""
        self._reference = reference
        self._hub_id = reference.removeprefix("hub:") if reference.startswith("hub:") else ""
        if not self._hub_id and not Path(reference).expanduser().is_dir():
            raise DataError(f"{reference!r} is neither a folder nor a data set on the Hub (hub:org/name).")

    @property
    def name(self) -> str:
        """What the set is called when nothing else is said."""
        return Path(self._reference).expanduser().resolve().name if not self._hub_id else self._hub_id.replace("/", "-")

    def documents(self) -> Iterator[str]:
        """The texts, one after the other."""
        return hub_documents(self._hub_id) if self._hub_id else folder_documents(Path(self._reference).expanduser())

    @contextmanager
    def written(self, megabytes: float | None = None) -> Iterator[Path]:
        """A file for a while with the texts as JSON lines {"text": …}; of the Hub so many megabytes at most."""
        left = (megabytes or (MEGABYTES if self._hub_id else float("inf"))) * 1e6
        with tempfile.TemporaryDirectory(prefix="nudge-") as folder:
            file = Path(folder) / "documents.jsonl"
            with file.open("wb") as out:
                for text in self.documents():
                    line = orjson.dumps({"text": text.encode("utf-8", "replace").decode("utf-8")}) + b"\n"
                    out.write(line)
                    left -= len(line)
                    if left <= 0:
                        break
            yield file


def is_source(path: Path | str) -> bool:
    """Whether what a person named is a source of texts rather than a file."""
    return str(path).startswith("hub:") or Path(path).expanduser().is_dir()
