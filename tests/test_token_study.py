"""Lengths, differing cuts and the search in a vocabulary, on texts small enough to count by hand."""

import pytest

from lab.errors import ConfigError
from lab.languages import costs
from lab.token_study import lengths, limited, search, segments, spelled, unreachable, unseen
from lab.tokenizer import Token, load_tokenizer


def tokens(*pieces):
    return [Token(n, piece, piece.encode(), 0, 0) for n, piece in enumerate(pieces)]


def test_lengths_on_every_rung():
    text = "né 👍"  # 4 code points: n, é (2 bytes), a space, the thumb (4 bytes): 8 bytes, 64 bits, two words
    found = lengths(text, tokens=3)
    assert (found.code_points, found.bytes, found.bits, found.words) == (4, 8, 64, 2)
    assert found.bytes_per_token == pytest.approx(8 / 3)
    assert found.tokens_per_word == 1.5
    assert lengths("", 0).bytes_per_token == lengths("  ", 1).tokens_per_word == 0


def test_segments_end_where_both_cut():
    # un|happi|ness against un|hap|pi|ness: they differ on "happi" only
    found = segments(tokens("un", "happi", "ness"), tokens("un", "hap", "pi", "ness"))
    assert [(list(each.first), list(each.second), each.same) for each in found] == [
        ([0], [0], True),
        ([1], [1, 2], False),
        ([2], [3], True),
    ]


def test_segments_count_bytes_where_a_cut_is_inside_a_character():
    thumb = "👍".encode()
    whole = [Token(0, "👍", thumb, 0, 1), Token(1, "!", b"!", 1, 2)]
    split = [Token(9, "", thumb[:1], 0, 1), Token(8, "", thumb[1:], 0, 1), Token(1, "!", b"!", 1, 2)]
    found = segments(whole, split)
    assert [(list(each.first), list(each.second)) for each in found] == [([0], [0, 1]), ([1], [2])]


def test_segments_of_a_tokenizer_that_rewrites_the_text():
    with pytest.raises(ConfigError, match="rewrites the text"):
        segments(tokens("Hello"), tokens("hello"))


def test_search_by_text_regex_and_id():
    letters = load_tokenizer("bytes")
    assert search(letters, "a").tokens == [(97, b"a")]
    assert [id for id, _ in search(letters, "[x-z]", "regex").tokens] == [120, 121, 122]
    assert search(letters, "65", "id").tokens == [(65, b"A")]
    limited = search(letters, "[a-z]", "regex", limit=3)
    assert (len(limited.tokens), limited.total) == (3, 26)
    assert search(letters, "").total == 0


@pytest.mark.parametrize(
    ("query", "by", "says"),
    [("[", "regex", "regular expression"), ("x", "id", "whole number"), ("256", "id", "0 to 255")],
)
def test_search_says_what_is_wrong(query, by, says):
    with pytest.raises(ConfigError, match=says):
        search(load_tokenizer("bytes"), query, by)


def test_letters_and_the_tokens_that_hide_them():
    tokenizer = load_tokenizer("bundled:base")
    tokens = tokenizer.encode("strawberry")
    letters = spelled("strawberry", tokens, "R")
    assert [letter.number for letter in letters if letter.wanted] == [3, 8, 9]
    assert ["".join(each.text for each in letters if each.token == n) for n in range(len(tokens))] == [
        token.text for token in tokens
    ]
    thirds = [letter.text for letter in spelled("ubiquitous", tokenizer.encode("ubiquitous"), every=3) if letter.wanted]
    assert thirds == ["i", "i", "u"]
    assert [letter.token for letter in spelled("é", load_tokenizer("bytes").encode("é"))] == [0]


def test_tokens_that_do_not_come_and_tokens_that_cannot():
    tokenizer = load_tokenizer("bundled:base")
    seen = set(tokenizer.ids("a river"))
    rest = dict(unseen(tokenizer, "a river"))
    assert not seen & rest.keys() and len(rest) == tokenizer.vocab_size - len(seen)
    lost = dict(unreachable(tokenizer))
    assert all(tokenizer.ids(piece.decode()) != [id] for id, piece in lost.items())
    with pytest.raises(ConfigError, match="Unicode"):
        limited(unseen(load_tokenizer("characters"), "a"))


def test_the_same_sentences_in_every_language():
    found = {cost.language: cost for cost in costs(load_tokenizer("bytes"))}
    assert found["English"].ratio == 1.0 and found["Hindi"].ratio > 2
    assert all(cost.tokens == cost.bytes for cost in found.values())
