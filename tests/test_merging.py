"""BPE training step by step: equal to the naive way and to the tokenizer it becomes, and fast."""

import time
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.errors import ConfigError
from lab.merging import MergeTable, MergeTraining, split
from lab.tokenizer import byte_alphabet, load_tokenizer

TEXT = "low low low low low lower lower newest newest newest newest newest newest widest widest widest"


def naive(text, merges):
    """The textbook's way: count every pair of the whole text again for each merge."""
    alphabet = byte_alphabet()
    words = [[alphabet[letter] for letter in word] for word in split(text)]
    made, pieces = [], [bytes([byte]) for byte in range(256)]
    for _ in range(merges):
        counts = Counter(pair for word in words for pair in pairwise(word))
        if not counts or max(counts.values()) < 2:
            break
        pair = min(counts, key=lambda pair: (-counts[pair], pair))
        piece = pieces[pair[0]] + pieces[pair[1]]
        if piece not in pieces:
            pieces.append(piece)
        new = pieces.index(piece)
        for number, word in enumerate(words):
            joined, place = [], 0
            while place < len(word):
                here = tuple(word[place : place + 2]) == pair
                joined.append(new if here else word[place])
                place += 2 if here else 1
            words[number] = joined
        made.append((pair, counts[pair], sum(map(len, words))))
    return made


def test_merges_by_hand():
    # The example of Sennrich et al.: "es" and then "est" are the first merges, in newest (6) and widest (3).
    training = MergeTraining(TEXT)
    assert training.length == len(TEXT)
    first = next(training)
    assert training.pieces[256] in (b"es", b"st")
    assert (first.id, first.times, first.length) == (256, 9, len(TEXT) - 9)
    assert first.candidates[0] == (first.pair, 9)
    second = next(training)
    assert training.pieces[257] == b"est"
    assert second.length == len(TEXT) - 18


@given(st.text(alphabet="ab cé\n", max_size=80))
@settings(max_examples=150, deadline=None)
def test_the_same_merges_as_counting_everything_again(text):
    if text:
        made = [(merge.pair, merge.times, merge.length) for merge in MergeTraining(text)]
        assert made == naive(text, len(made) + 1)


@given(st.text(max_size=120))
@settings(max_examples=80, deadline=None)
def test_the_tokenizer_it_becomes_cuts_the_text_the_same(text):
    if not text:
        return
    training = MergeTraining(text)
    for _ in zip(range(40), training):
        pass
    tokenizer = training.tokenizer()
    assert len(tokenizer.ids(text)) == training.length
    assert tokenizer.decode_bytes(tokenizer.ids(text)) == text.encode()


def test_a_thousand_merges_on_a_megabyte():
    from lab.world.world import World

    text = "\n".join(document.text for document in World().documents(1500))[:1_000_000]
    assert len(text) > 500_000
    began = time.process_time()
    training = MergeTraining(text)
    merges = [merge for _, merge in zip(range(1000), training)]
    assert time.process_time() - began < 15  # 5 s on an idle core; other work may be going on here
    lengths = [merge.length for merge in merges]
    assert lengths == sorted(lengths, reverse=True)


def test_saved_and_loaded(tmp_path):
    training = MergeTraining(TEXT)
    for _ in zip(range(3), training):
        pass
    training.save(tmp_path / "mine")
    loaded = load_tokenizer(tmp_path / "mine")
    assert loaded.ids(TEXT) == training.tokenizer().ids(TEXT)
    assert loaded.vocab_size == 259


def test_the_merges_of_a_real_tokenizer():
    tokenizer = load_tokenizer("bundled:base")
    table = MergeTable(tokenizer)
    (word,) = split(" river")
    steps = table.encode(word)
    assert len(steps[0].ids) == 6
    assert steps[-1].ids == tokenizer.ids(" river")
    assert [step.rank for step in steps[1:]] == sorted(step.rank for step in steps[1:])
    tree = table.tree(steps[-1].ids[0])
    assert "".join(_leaves(tree)) == tree.text


def _leaves(node):
    return [leaf for part in node.parts for leaf in _leaves(part)] or [node.text]


def test_what_has_no_merges():
    with pytest.raises(ConfigError, match="does not cut by merges"):
        MergeTable(load_tokenizer("bytes"))
    with pytest.raises(ConfigError, match="no text"):
        MergeTraining("")
    assert list(MergeTraining("abc")) == []
