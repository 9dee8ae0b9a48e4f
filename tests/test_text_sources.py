"""Texts that are not one file: a folder, and a Hub data set read by streaming (here from files of this machine)."""

import pytest

from lab import text_sources
from lab.datasets import Datasets
from lab.errors import DataError
from lab.text_sources import TextSource, is_source


@pytest.fixture
def datasets(tmp_path):
    return Datasets(tmp_path / "datasets")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A Hub data set of two Parquet files of 1,000 rows; gives the list of files that were opened."""
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    opened = []
    files = [tmp_path / f"{n}.parquet" for n in range(2)]
    for n, file in enumerate(files):
        rows = [f"Page {1000 * n + row} of the web. {'x' * 100}" for row in range(1000)]
        parquet.write_table(arrow.table({"url": rows, "text": rows}), file, row_group_size=100)

    def parquet_files(hub_id):
        for file in files:
            opened.append(file)
            yield file.open("rb")

    monkeypatch.setattr(text_sources, "_parquet_files", parquet_files)
    return opened


def test_a_folder_of_texts_becomes_documents(datasets, tmp_path):
    folder = tmp_path / "my books"
    (folder / "deep").mkdir(parents=True)
    (folder / "b.txt").write_text("Second.\n\nWith two paragraphs.", encoding="utf-8")
    (folder / "a.md").write_text("First.", encoding="utf-8")
    (folder / "deep" / "c.txt").write_bytes(b"caf\xe9")  # not UTF-8: read as well as it can be
    (folder / "picture.png").write_bytes(b"\x89PNG")
    (folder / "empty.txt").write_text("")
    report = datasets.add(folder)
    assert (report.rows, report.kind) == (3, "documents")
    texts = [record.text for record in datasets.records("my books")]
    assert texts == ["First.", "Second.\n\nWith two paragraphs.", "caf\ufffd"]


def test_a_folder_without_text_says_so(datasets, tmp_path):
    (tmp_path / "pictures").mkdir()
    with pytest.raises(DataError, match="holds no text"):
        datasets.add(tmp_path / "pictures")


def test_a_hub_set_is_read_as_far_as_it_is_taken(hub, tmp_path):
    source = TextSource("hub:org/name")
    with source.written(megabytes=0.01) as file:
        lines = file.read_bytes().splitlines()
        assert 10_000 <= file.stat().st_size < 10_300
    assert len(hub) == 1 and lines[0].startswith(b'{"text":"Page 0 of the web.')
    assert not file.exists()


def test_a_hub_set_becomes_documents(hub, datasets):
    report = datasets.add("hub:org/name")
    assert (report.rows, report.kind) == (2000, "documents")
    assert datasets.info("org-name").rows == 2000
    with pytest.raises(DataError, match="already"):
        datasets.add("hub:org/name")


def test_a_column_that_is_not_there(hub, tmp_path):
    with pytest.raises(DataError, match="url, text"):
        next(text_sources.parquet_texts((tmp_path / "0.parquet").open("rb"), "body"))


def test_without_the_network_the_hub_says_so(monkeypatch, datasets):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match="org/name"):
        datasets.add("hub:org/name")


def test_what_is_a_source(tmp_path):
    assert is_source(tmp_path) and is_source("hub:org/name")
    assert not is_source(tmp_path / "file.txt")
    with pytest.raises(DataError, match="neither a folder"):
        TextSource(str(tmp_path / "nothing"))
