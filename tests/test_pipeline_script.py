"""The script for datatrove: it is Python, and says what the rules say, in their order."""

import ast

import pytest

from lab.corpus import PRESETS, RULES
from lab.corpus.pipeline_script import pipeline_script

FILTERS = ("URLFilter(", "Trafilatura(", "LanguageFilter(", "GopherRepetitionFilter(", "GopherQualityFilter(")


@pytest.mark.parametrize("name", PRESETS)
def test_the_steps_in_their_order(name):
    script = pipeline_script(PRESETS[name])
    ast.parse(script)
    body = script[script.index("\nrun(") :]
    places = {part: body.index(part) for part in (*FILTERS, "C4QualityFilter(", "MinhashDedupFilter(", "PIIFormatter(")}
    assert (places["URLFilter("] < places["Trafilatura("]) == (name != "paper")
    assert (places["C4QualityFilter("] < places["MinhashDedupFilter("]) == (name == "code")
    assert places["PIIFormatter("] == max(places.values())


def test_the_thresholds_are_the_chosen_ones():
    script = pipeline_script(RULES.with_thresholds(too_few_words=20, language=0.5, copied_characters=0.1))
    assert "min_doc_words=20" in script and "language_threshold=0.5" in script and "char_duplicates_ratio=0.1" in script
    assert "filter_no_terminal_punct=False" in script and "min_num_sentences=5" in script
    assert "top_n_grams=((2, 0.2), (3, 0.18), (4, 0.16))" in script
    assert "num_buckets=14, hashes_per_bucket=8, n_grams=5" in script


def test_what_is_left_out_is_left_out():
    script = pipeline_script(RULES.without("near_duplicate", "language", "too_few_words", "too_few_sentences"), "de")
    ast.parse(script)
    body = script[script.index("\nrun(") :]
    assert "Minhash" not in body and "LanguageFilter" not in body
    assert "min_doc_words=None" in body and "min_num_sentences=-1" in body
    assert "LanguageFilter(['de']" in pipeline_script(RULES, "de")
