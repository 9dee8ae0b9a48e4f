"""Packing by hand, and the order of the data."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.batching import (
    Example,
    batch_order,
    encode_conversations,
    example_batches,
    pack,
    pack_examples,
    window_batches,
)
from lab.chat_template import ChatTemplate
from lab.tokenizer import load_tokenizer
from lab.windows import document_mark, encode_documents, pack_documents
from tests.tiny import CONVERSATIONS


def test_two_sequences_by_hand():
    batch = pack([[1, 2, 3], [7, 8]], [[True, False, True], [True, True]])
    # the last token of each is only a target; a first token is never one
    assert batch.ids_N.tolist() == [1, 2, 7]
    assert batch.positions_N.tolist() == [0, 1, 0]
    assert batch.rows_L.tolist() == [1, 2]
    assert batch.targets_L.tolist() == [3, 8]
    assert (batch.tokens, batch.losses) == (3, 2)


def test_without_masks_all_but_the_first_token_is_a_target():
    batch = pack([[1, 2, 3], [7, 8, 9]])
    assert batch.rows_L is None
    assert batch.targets_L.tolist() == [2, 3, 8, 9]
    assert batch.groups == ((2, 2),)
    assert batch.slots is None


def test_side_by_side_and_padded_by_hand():
    ids, mask, place = pack([[1, 2, 3], [7, 8]]).padded()
    assert ids.tolist() == [[1, 2], [7, 0]]
    assert mask.tolist() == [[1, 1], [1, 0]]
    assert place.tolist() == [0, 1, 2]


def test_a_sequence_without_anything_to_predict_is_left_out_and_nothing_at_all_is_an_error():
    assert pack([[4], [1, 2]]).ids_N.tolist() == [1]
    with pytest.raises(ValueError, match="at least one sequence"):
        pack([[4]])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(2, 40), min_size=1, max_size=12))
def test_every_row_has_a_slot_of_its_own_in_order_within_its_sequence(lengths):
    batch = pack([np.arange(length) for length in lengths])
    slots = sum(count * longest for count, longest in batch.groups)
    if batch.slots is None:
        assert len(set(lengths)) == 1
        assert slots == batch.tokens
        return
    assert len(batch.slots) == slots
    assert torch.equal(batch.slots[batch.slot_of_N], torch.arange(batch.tokens))
    start = 0
    for count, longest in batch.groups:
        for _ in range(count):
            rows = batch.slots[start : start + longest]
            used = rows[torch.isin(torch.arange(start, start + longest), batch.slot_of_N)]
            assert batch.positions_N[used].tolist() == list(range(len(used)))
            assert longest <= 1.25 * len(used)
            start += longest


# --- order -----------------------------------------------------------------------------------------------------------


def test_every_example_is_read_once_before_any_is_read_twice():
    read = [number for step in range(6) for number in batch_order(seed=3, step=step, count=9, batch_size=3)]
    assert sorted(read[:9]) == sorted(read[9:]) == list(range(9))
    assert read[:9] != read[9:]


def test_the_order_is_a_function_of_seed_and_step():
    assert batch_order(1, 5, 100, 8) == batch_order(1, 5, 100, 8)
    assert batch_order(1, 5, 100, 8) != batch_order(2, 5, 100, 8)
    assert batch_order(1, 4, 5, 8)[:3] != []  # a batch larger than the set goes on with the next round


def test_a_batch_may_be_larger_than_the_set():
    assert sorted(batch_order(0, 0, 3, 6)) == [0, 0, 1, 1, 2, 2]


# --- conversations ---------------------------------------------------------------------------------------------------


def test_conversations_are_cut_and_those_with_nothing_to_learn_left_out(tiny_model):
    template = ChatTemplate.from_folder(tiny_model)
    whole = encode_conversations(CONVERSATIONS, template, 200)
    assert len(whole) == len(CONVERSATIONS)
    longest = max(len(example.ids) for example in whole)
    short = encode_conversations(CONVERSATIONS, template, longest - 1)
    assert max(len(example.ids) for example in short) == longest - 1
    assert encode_conversations(CONVERSATIONS, template, 6) == []


def test_examples_of_about_one_length_share_a_batch():
    examples = [Example(np.arange(n), np.ones(n, bool)) for n in (9, 3, 10, 4)]
    assert [batch.tokens for batch in example_batches(examples, 2)] == [2 + 3, 8 + 9]
    assert pack_examples(examples).losses == sum(example.targets for example in examples) == 22


# --- documents -------------------------------------------------------------------------------------------------------


def test_a_long_document_is_cut_so_that_every_token_is_predicted_once():
    windows = pack_documents([[0, 1, 2, 3, 4, 5, 6]], max_length=4)
    pieces = sorted((piece.tolist() for window in range(len(windows)) for piece in windows[window]), key=min)
    assert pieces == [[0, 1, 2, 3, 4], [4, 5, 6]]


def test_windows_are_as_full_as_can_be():
    # lengths in predictions 6, 5, 4, 3, 2 into 10: the longest first, each where it fits best
    documents = [list(range(n + 1)) for n in (2, 5, 4, 6, 3)]
    windows = pack_documents(documents, max_length=10)
    assert sorted(windows.tokens(n) for n in range(len(windows))) == [10, 10]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 50), max_size=30), st.integers(1, 20))
def test_no_token_is_lost_and_no_window_too_full(lengths, room):
    documents = [list(range(100 * n, 100 * n + length)) for n, length in enumerate(lengths)]
    windows = pack_documents(documents, room)
    predicted = [token for n in range(len(windows)) for piece in windows[n] for token in piece[1:].tolist()]
    assert sorted(predicted) == sorted(token for document in documents for token in document[1:])
    assert all(1 <= windows.tokens(n) <= room for n in range(len(windows)))
    assert sum(batch.losses for batch in window_batches(windows, 3)) == len(predicted)


def test_documents_stand_between_marks(tiny_model):
    tokenizer = load_tokenizer(tiny_model)
    (mark,) = document_mark(tokenizer)
    assert tokenizer.token_text(mark) == "<|document|>"
    (ids,) = encode_documents(["12 <|end|>"], tokenizer)
    assert ids[0] == ids[-1] == mark
    assert tokenizer.decode(ids[1:-1]) == "12 <|end|>"
    assert not set(ids[1:-1]) & set(tokenizer.special_tokens.values())
