"""The cleanings of a workspace, and what the Data tab shows of one."""

import time

import pytest

from lab.corpus import PRESETS
from lab.corpus.desk import Desk
from lab.errors import ConfigError, DataError
from ui.corpus_view import (
    document_data,
    documents_data,
    draggable,
    funnel_data,
    histogram_data,
    lit,
    rules_of,
    shared_runs,
)


def wait(desk, id):
    limit = time.monotonic() + 120
    while desk.progress(id)["running"]:
        assert time.monotonic() < limit
        time.sleep(0.05)
    return desk.progress(id)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    kept = []

    def keep(path, name, format):
        kept.append((name, format, path.read_text(encoding="utf-8").splitlines()))

    desk = Desk(tmp_path_factory.mktemp("corpus"), keep)
    id = desk.start("world:120")
    assert wait(desk, id) | {"seconds": None} == {
        "pages": 120,
        "total": 120,
        "running": False,
        "trouble": "",
        "seconds": None,
        "source": "pages of the small world",
        "stopped": False,
    }
    yield desk, id, kept
    desk.close()


def test_pages_are_measured_once_and_found_again(made, tmp_path):
    desk, id, _ = made
    assert desk.start("world:120") == id and not desk.progress(id)["running"]
    again = Desk(desk._folder, lambda *_: None)
    assert again.start("world:120") == id
    assert not again.progress(id)["running"] and len(again.result(id).kept) == len(desk.result(id).kept)
    assert desk.start("world:120", "es") != id
    desk.close()


def test_what_stays_becomes_a_data_set(made):
    desk, id, kept = made
    rules = rules_of({})
    assert desk.keep(id, rules, "clean") == len(desk.result(id, rules).kept)
    name, format, lines = kept[-1]
    assert (name, format, len(lines)) == ("clean", "documents", len(desk.result(id, rules).kept))
    assert desk.keep_raw(id, "raw") == len(kept[-1][2]) == sum(bool(row["text"]) for row in desk._job(id).store.lines())
    with pytest.raises(DataError, match="no document"):
        desk.keep(id, rules.with_thresholds(too_few_words=1e6), "nothing")


def test_what_cannot_be_opened_is_said(made, tmp_path):
    desk, _, _ = made
    for source, said in (
        ("world:0", "names no pages"),
        (str(tmp_path / "none"), "no file"),
        (str(tmp_path), "no pages"),
    ):
        with pytest.raises(DataError, match=said):
            desk.start(source)
    with pytest.raises(DataError, match="no language"):
        desk.start("world:5", "xx")
    with pytest.raises(DataError, match="not open"):
        desk.result("nonsense")


def test_a_persons_own_pages(made, tmp_path):
    desk, _, _ = made
    file = tmp_path / "mine.jsonl"
    file.write_text('{"text": "one"}\nnot json\n', encoding="utf-8")
    id = desk.start(str(file))
    assert wait(desk, id)["pages"] == 2
    assert desk.result(id).counts == {"unreadable": 1, "language": 1} or desk.result(id).counts["unreadable"] == 1


def test_the_rules_that_the_page_describes():
    assert rules_of({}).order == PRESETS["code"].order
    own = rules_of({"preset": "paper", "order": ["duplicates", "language"], "thresholds": {"too_few_words": 7}})
    assert own.order[:5] == ("read", "extract", "duplicates", "language", "url")
    assert own["too_few_words"].threshold == 7 and own["copied_characters"].threshold == 0.1
    for bad in ({"preset": "x"}, {"thresholds": {"x": 1}}):
        with pytest.raises(ConfigError):
            rules_of(bad)


def test_the_funnel_and_the_documents_behind_it(made):
    desk, id, _ = made
    result = desk.result(id, rules_of({}))
    bands = funnel_data(result)
    assert [band["movable"] for band in bands] == [False, True, False, *[True] * 6, False]
    for band in bands:
        listed = documents_data(result, band["step"])
        assert listed["total"] == band["dropped"] and len(listed["rows"]) == min(20, band["dropped"])
        assert all(row["reason"] in band["reasons"] for row in listed["rows"])
    assert documents_data(result, "kept")["total"] == len(result.kept)
    assert documents_data(result, "kept", 10_000)["rows"]


def test_a_histogram_counts_every_document(made):
    desk, id, _ = made
    result = desk.result(id, rules_of({}))
    for each in draggable(result.rules):
        found = histogram_data(result, each["rule"])
        assert sum(found["counts"]) == found["measured"] <= 120
        assert found["low"] <= found["threshold"] <= found["high"] or found["threshold"] > 10 * found["high"] / 2
    strict = histogram_data(desk.result(id, rules_of({"thresholds": {"too_few_words": 150}})), "too_few_words")
    assert strict["fails"] > histogram_data(result, "too_few_words")["fails"]


def test_one_document_with_all_that_is_known_of_it(made):
    desk, id, _ = made
    result = desk.result(id, rules_of({}))
    copy = documents_data(result, "duplicates")["rows"][0]["number"]
    found = document_data(result, copy)
    assert found["reason"] == "near_duplicate" and not found["kept"]
    assert found["copy"]["similarity"] > 0.6 and any(found["copy"]["buckets"])
    assert "".join(text for text, _ in found["copy"]["texts"][1]) == "\n".join(line for line, _ in found["lines"])
    assert "".join(text for text, _ in found["html"]).startswith("<!DOCTYPE html>")
    assert any(kept for _, kept in found["html"])
    cut = document_data(result, documents_data(result, "c4")["rows"][0]["number"])
    assert {rule for _, rule in cut["lines"]} >= {"policy_lines"}
    with pytest.raises(ConfigError):
        document_data(result, 120)


def test_pieces_by_hand():
    assert lit("<p>a &amp; b</p><p>c</p>", "a & b\nc") == [
        ["<p>", False], ["a &amp; b", True], ["</p><p>", False], ["c", True], ["</p>", False],
    ]  # fmt: skip
    assert shared_runs("x a b c d e y", {"a b c d e"}) == [["x", False], [" a b c d e", True], [" y", False]]
