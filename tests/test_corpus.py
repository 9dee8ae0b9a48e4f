"""Cleaning as a whole: the world's planted faults, bad input, stopping and going on, files of every kind."""

import gzip
import io
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from lab.corpus import PRESETS, RULES, CleanDocument, Cleaning, DroppedDocument, Page, clean
from lab.corpus.child import Measuring
from lab.corpus.near_duplicates import shingles, similarity
from lab.corpus.sources import read_pages
from lab.corpus.store import MeasuredPages
from lab.errors import DataError
from lab.world import World

WARC = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "warc"
ARTICLE = next(page.text for page in World(1).crawl(20) if page.planted == "article")


@pytest.fixture(scope="module")
def crawl():
    return list(World(0).crawl(400))


@pytest.fixture(scope="module")
def result(crawl):
    return clean(crawl, isolated=False)


def test_no_page_vanishes(crawl, result):
    ids = [document.id for document in result.kept] + [document.id for document in result.dropped]
    assert sorted(ids) == sorted(page.url for page in crawl)
    assert len(result.kept) + len(result.dropped) == len(result) == 400
    assert all(document.reason in RULES for document in result.dropped)
    for before, after in zip(result.funnel, result.funnel[1:]):
        assert after["documents_in"] == before["documents"] == before["documents_in"] - before["dropped"]
    assert result.funnel[-1]["documents"] == len(result.kept)


def test_the_planted_faults_are_found_and_nothing_else(crawl, result):
    truth = {page.url: page for page in crawl}
    kept = Counter(truth[document.id].planted for document in result.kept)
    assert set(kept) == {"article", "private"}
    dropped = [(truth[document.id].planted, document.reason) for document in result.dropped]
    why = {planted: {reason for kind, reason in dropped if kind == planted} for planted, _ in dropped}
    assert why["foreign"] == {"language"}
    assert why["empty"] == {"no_text"}
    assert why["bad address"] <= {"url_domain", "url_word", "url_soft_words"}
    assert why["exact copy"] == why["near copy"] == {"near_duplicate"}
    assert why["boilerplate"] == {"too_few_sentences"}
    assert why["list"] == {"unpunctuated_lines"}
    assert why.get("article", set()) | why.get("private", set()) <= {"near_duplicate"}


def test_languages_are_told_apart(crawl):
    pages = [page for page in crawl if len(page.text) >= 200 and page.planted in ("article", "foreign", "private")]
    from lab.corpus.language import languages

    right = [languages(page.text)[0][0] == page.language for page in pages]
    assert {page.language for page in pages} == {"en", "es", "de", "fr"}
    assert np.mean(right) >= 0.99


def test_copies_are_found_and_named(crawl, result):
    truth = {page.url: page for page in crawl}
    like = {document.id: document.like for document in result.dropped if document.reason == "near_duplicate"}
    copies = [page for page in crawl if page.copy_of]
    near = [page for page in copies if page.planted == "near copy"]
    similar = [page for page in near if similarity(shingles(page.text), shingles(truth[page.copy_of].text)) >= 0.85]
    assert len(similar) > 15
    assert all(page.url in like for page in copies if page.planted == "exact copy")
    assert np.mean([page.url in like for page in similar]) >= 0.95
    assert np.mean([like[page.url] == page.copy_of for page in copies if page.url in like]) > 0.9


def test_what_is_private_is_gone_and_the_rest_stays(crawl, result):
    text = {document.id: document for document in result.kept}
    pages = [page for page in crawl if page.planted == "private" and page.url in text]
    assert len(pages) > 15
    for page in pages:
        cleaned = text[page.url]
        assert not any(value in cleaned.text for value in (*page.mail, *page.public_ips))
        assert all(value in cleaned.text for value in page.private_ips)
        assert cleaned.measurements["mail_addresses"] == cleaned.measurements["public_ips"] == 1
        assert {was for *_, was, _ in cleaned.redactions} == {*page.mail, *page.public_ips}
    assert any(page.public_ips[0] not in result.pages[0]["text"] for page in pages)


def test_every_rule_is_measured_on_every_document(result):
    textual = [rule.name for rule in RULES if rule.kind == "drops" and rule.step not in ("read", "url", "extract")]
    for document in result.dropped:
        if document.reason != "no_text" and document.text:
            missing = [name for name in textual if name not in document.measurements]
            assert not missing or set(missing) <= {
                rule.name for rule in RULES if rule.step in ("fineweb", "duplicates")
            }
    blamed = next(document for document in result.dropped if document.also)
    assert isinstance(blamed, DroppedDocument) and blamed.reason not in blamed.also


def test_a_passport_says_it_all(result):
    number = int(result.dropped.numbers[0])
    rows = result.passport(number)
    assert [row["rule"] for row in rows] == [rule.name for rule in RULES]
    assert [row["rule"] for row in rows if row["outcome"] == "dropped here"] == [result.dropped[0].reason]
    failed = [
        row for row in rows if row["outcome"] in ("dropped here", "would also fail") and row["rule"] != "near_duplicate"
    ]
    assert all(row["margin"] <= 0 for row in failed)


def test_another_order_blames_another_rule_and_keeps_the_same(result):
    talk, paper = (result.with_rules(PRESETS[name]) for name in ("talk", "paper"))
    assert {document.id for document in talk.kept} == {document.id for document in paper.kept}
    assert talk.counts != result.counts or paper.counts != result.counts
    strict = result.with_rules(RULES.with_thresholds(too_few_words=10_000))
    assert not len(strict.kept) and strict.counts["too_few_words"] > 100


def test_texts_rows_and_pages_come_in():
    values = [
        ARTICLE,
        {"text": ARTICLE + " More of it here.", "url": "https://a.example/1"},
        Page("mine", text="short"),
    ]
    done = clean([*values, Page("mine", text="short")], isolated=False)
    assert [document.id for document in done.kept] == ["page-1"]
    assert next((document.id, document.like) for document in done.dropped) == ("https://a.example/1", "page-1")
    assert [document.id for document in done.dropped][-2:] == ["mine", "mine~2"]
    assert isinstance(done.kept[0], CleanDocument) and done.kept[0].text == ARTICLE
    assert next(iter(done.kept)) == done.kept[0] and done.dropped[-1].id == "mine~2"
    with pytest.raises(DataError, match="without"):
        clean([3], isolated=False)
    empty = clean([], isolated=False)
    assert len(empty.kept) == len(empty.dropped) == 0 and empty.funnel[0]["documents_in"] == 0


def test_bombs_are_named_and_nothing_hangs():
    pages = [
        Page("good", html=f"<html><body><p>{ARTICLE}</p></body></html>"),
        Page("deep", html="<div>" * 100_000 + "x" + "</div>" * 100_000),
        Page("wide", html="<html><body>" + "<p>The same again and again.</p>" * 60_000 + "</body></html>"),
        Page("large", html="x" * 50_000_000),
        Page("bytes", html=bytes(range(256)) * 300),
        Page("after", text=ARTICLE),
    ]
    measuring = Measuring(RULES, seconds=3.0)
    try:
        found = {page.id: measuring.measure(page) for page in pages}
    finally:
        measuring.close()
    assert found["good"].text and found["after"].text == ARTICLE
    assert found["large"].values["page_size"] == 50 and not found["large"].text
    assert not found["wide"].problem or "3 s" in found["wide"].problem
    assert all(measured.values["unreadable"] == bool(measured.problem) for measured in found.values())


def test_a_stopped_cleaning_goes_on_where_it_was(tmp_path, crawl):
    whole = Cleaning(tmp_path / "whole", isolated=False).run(crawl[:60])
    seen = []
    part = Cleaning(tmp_path / "part", isolated=False)
    store = part.run(crawl[:60], seen.append, lambda: len(seen) >= 25)
    assert len(store) == 25 and seen[-1].pages == 25
    for name, cut in (("pages.jsonl", 7), ("values.f32", 3)):  # torn as by a power cut
        file = tmp_path / "part" / name
        file.write_bytes(file.read_bytes()[:-cut])
    assert len(MeasuredPages(tmp_path / "part")) == 24
    again = part.run(crawl[:60])
    assert np.array_equal(again.values(), whole.values(), equal_nan=True)
    assert list(again.lines()) == list(whole.lines())
    assert again[59] == list(again.lines())[59]


def test_files_of_every_kind(tmp_path):
    import pyarrow
    import pyarrow.parquet as parquet

    folder = tmp_path / "pages"
    (folder / "more").mkdir(parents=True)
    (folder / "a.html").write_bytes("<p>café</p>".encode("cp1252"))
    (folder / "empty.htm").write_bytes(b"")
    (folder / "more" / "b.jsonl").write_text(
        '{"text": "one", "metadata": {"url": "https://b.example"}}\n\nnot json\n{"n": 1}\n'
    )
    (folder / "c.jsonl.gz").write_bytes(gzip.compress(json.dumps({"content": "two"}).encode()))
    (folder / "d.json").write_text('[{"text": "three"}, "four", 5]')
    parquet.write_table(pyarrow.table({"text": ["five", None]}), folder / "e.parquet")
    (folder / "f.parquet").write_bytes(b"PAR1 and then nothing")
    (folder / "picture.png").write_bytes(b"no page")
    pages = {page.id: page for page in read_pages(folder)}
    assert pages["a.html"].html == "<p>café</p>".encode("cp1252")
    assert [id for id, page in pages.items() if page.problem] == [
        *("d.json#3", "e.parquet#2", "empty.htm", "f.parquet#1", "more/b.jsonl#3", "more/b.jsonl#4"),
    ]
    assert pages["more/b.jsonl#1"] == Page("more/b.jsonl#1", "https://b.example", text="one")
    assert {page.text for page in pages.values() if page.text} == {"one", "two", "three", "four", "five"}
    done = clean(read_pages(folder), isolated=False)
    assert done.counts["unreadable"] == 6
    assert {document.problem.split(":")[0] for document in done.dropped if document.reason == "unreadable"} >= {
        "line 3 is no JSON", "a page without a byte", "the row is a int, not a page",
    }  # fmt: skip
    for bad, said in (
        (tmp_path / "none", "no file"),
        (folder / "picture.png", "no pages"),
        (tmp_path / "x", "no file"),
    ):
        with pytest.raises(DataError, match=said):
            read_pages(bad)


def test_a_web_archive(tmp_path):
    from warcio.statusandheaders import StatusAndHeaders
    from warcio.warcwriter import WARCWriter

    path = tmp_path / "crawl.warc.gz"
    with path.open("wb") as file:
        writer = WARCWriter(file, gzip=True)
        for n, kind in enumerate(("text/html", "image/png", "text/html; charset=utf-8")):
            headers = StatusAndHeaders("200 OK", [("Content-Type", kind)], protocol="HTTP/1.0")
            html = io.BytesIO(f"<html><body><p>{ARTICLE} {n}</p></body></html>".encode())
            address = f"https://a.example/{n}"
            writer.write_record(writer.create_warc_record(address, "response", html, http_headers=headers))
    pages = list(read_pages(path))
    assert [page.url for page in pages] == ["https://a.example/0", "https://a.example/2"]
    torn = tmp_path / "torn.warc.gz"
    torn.write_bytes(path.read_bytes()[:-40])
    assert 1 <= len(list(read_pages(torn))) <= 3


@pytest.mark.skipif(not WARC.is_dir(), reason="the files from the field are not here")
def test_the_fields_own_broken_archives():
    pages = list(read_pages(WARC))
    assert len(pages) > 10 and any(page.problem for page in pages)
    done = clean(pages, isolated=False)
    assert len(done.kept) + len(done.dropped) == len(pages)
