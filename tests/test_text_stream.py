"""From token ids to text, while they come."""

import pytest

from lab.generate import Step
from lab.text_stream import TextStream
from lab.tokenizer import load_tokenizer

BYTES = load_tokenizer("bytes")
END = 300


def written(content, stop=(), ids=None):
    """The texts of the tokens of `content` (one a byte): a list for each step of what is settled with it."""
    stream = TextStream(BYTES, stop, {END})
    batches = []
    for id in ids or content.encode():
        over = stream.add(Step(0, id, -1.0, 0.5, "", []))
        batches.append([token.text for token in stream.take()])
        if over:
            break
    batches.append([token.text for token in stream.take(last=True)])
    return batches


def text_of(batches):
    return "".join(text for batch in batches for text in batch)


def test_each_token_comes_at_once():
    assert written("ab") == [["a"], ["b"], []]


def test_a_character_stands_with_the_token_that_completes_it():
    # é is 2 bytes, 🙂 is 4
    assert written("é🙂") == [[], ["", "é"], [], [], [], ["", "", "", "🙂"], []]


def test_what_is_no_character_is_marked_when_that_is_known():
    assert written("", ids=[0xC3, ord("x"), 0xE2, 0x82]) == [[], ["", "\ufffdx"], [], [], ["", "\ufffd"]]


@pytest.mark.parametrize("text", ["naïve 👩‍👩‍👧 ﷽", "\x00\n\t", "日本語"])
def test_texts_joined_are_the_text(text):
    assert text_of(written(text)) == text


def test_a_stop_text_ends_it_and_is_left_out():
    batches = written("say no more, please", stop=["no more"])
    assert text_of(batches) == "say "
    assert len(batches) == len("say no more") + 1
    assert batches[4:11] == [[]] * 7  # nothing of the stop text is shown before it is known


def test_what_only_begins_like_a_stop_text_comes_after_all():
    batches = written("aab", stop=["aac"])
    assert batches == [[], [], ["a", "a", "b"], []]
    assert text_of(written("ends in a", stop=["aa"])) == "ends in a"
    assert text_of(written("xaaab", stop=["aab"])) == "xa"


def test_the_earliest_of_several_stop_texts_counts():
    assert text_of(written("one two three", stop=["three", "wo", ""])) == "one t"


def test_a_token_that_a_stop_text_cuts_keeps_its_first_part():
    class Words:
        vocab_size = 3

        def token_bytes(self, id):
            return [b"Hello", b" wor", b"ld\n\nUser:"][id]

    stream = TextStream(Words(), ["\n\n"], ())
    stops = [stream.add(Step(0, id, -1.0, 0.5, "", [])) for id in range(3)]
    assert stops == [False, False, True]
    assert [token.text for token in stream.take(last=True)] == ["Hello", " wor", "ld"]


def test_end_tokens_and_ids_outside_the_vocabulary_have_no_text():
    assert written("", ids=[ord("a"), 999, END]) == [["a"], [""], [""], []]
