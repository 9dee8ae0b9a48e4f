"""Compression with a model: every file comes back, and its size is the sum of −log2 p."""

import math
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.arithmetic_coding import BAR_BITS, ArithmeticDecoder, ArithmeticEncoder
from lab.compression import coding, compress, decompress, drain, token_ids
from lab.errors import DataError, ModelError
from lab.generate import score
from lab.loaded_models import LoadedModels
from lab.tokenizer import load_tokenizer
from tests.tiny import TEXTS, make_tiny_model

HEAD = 5 + 26


@pytest.fixture(scope="module")
def tiny(tiny_model):
    return LoadedModels(1 << 40).get(tiny_model)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_any_intervals_come_back_within_a_byte_of_their_information(data):
    whole = 1 << BAR_BITS
    symbols = data.draw(
        st.lists(
            st.integers(1, whole).flatmap(lambda size: st.tuples(st.integers(0, whole - size), st.just(size))),
            max_size=60,
        )
    )
    encoder = ArithmeticEncoder()
    for start, size in symbols:
        encoder.add(start, size)
    code = encoder.finish()
    ideal = sum(BAR_BITS - math.log2(size) for _, size in symbols)
    assert 8 * len(code) <= ideal * 1.001 + 9
    decoder = ArithmeticDecoder(code)
    for start, size in symbols:
        assert start <= decoder.place() < start + size
        decoder.take(start, size)


def test_a_carry_runs_through_bytes_that_are_full():
    whole = 1 << BAR_BITS
    symbols = [(whole - 1, 1)] * 3 + [(0, whole)] + [(whole - 2, 2)] * 5 + [(whole // 2, 1)]
    encoder = ArithmeticEncoder()
    for start, size in symbols:
        encoder.add(start, size)
    decoder = ArithmeticDecoder(encoder.finish())
    for start, size in symbols:
        assert start <= decoder.place() < start + size
        decoder.take(start, size)


@given(st.one_of(st.binary(max_size=80), st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass"))))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_come_back(tiny, data):
    file = compress(tiny, data)
    assert decompress(tiny, file) == data
    assert len(file) <= len(data) + 16


def test_the_size_is_the_sum_of_the_surprises(tiny):
    data = " ".join(TEXTS * 3).encode()
    coded = drain(coding(tiny, data))
    assert abs(coded.bits - coded.ideal_bits) <= 0.001 * coded.ideal_bits + 16
    ids = [*tiny.start_ids, *tiny.tokenizer.ids(data.decode())][: tiny.model.context_length]
    assert coded.tokens == len(tiny.tokenizer.ids(data.decode()))
    plain = -sum(score(tiny.model, ids).logprobs) / math.log(2)
    first = drain(coding(tiny, tiny.tokenizer.decode_bytes(ids[1:])))
    assert first.ideal_bits == pytest.approx(plain, rel=1e-5)


def test_the_bundled_model_knows_its_world_and_can_tell():
    data = b"Once there was a child who lived near the river. Every day the child walked to the market."
    coded = drain(coding(LoadedModels(1 << 40).get(_bundled()), data))
    assert not coded.stored and coded.bits < 8 * len(zlib.compress(data, 9))
    assert compress("bundled:base", data) == coded.file
    assert decompress("bundled:base", coded.file) == data


def test_what_the_model_does_not_know_is_stored_and_its_size_still_said(tiny):
    data = bytes(range(256))
    coded = drain(coding(tiny, data))
    assert coded.stored and len(coded.file) == len(data) + 5
    assert coded.bits > 8 * len(data)


def test_a_window_that_is_full_goes_on_from_its_last_half(tmp_path):
    small = LoadedModels(1 << 40).get(make_tiny_model(tmp_path / "small", context_length=32))
    data = " ".join(TEXTS * 2).encode()
    assert len(small.tokenizer.ids(data.decode())) > 64
    assert decompress(small, _coded(small, data)) == data


def test_lanes_of_uneven_length(tiny, monkeypatch):
    monkeypatch.setattr("lab.compression.LANE", 20)
    data = " ".join(TEXTS).encode() + b"\xff!"
    file = _coded(tiny, data)
    assert file[5 + 17] > 1
    assert decompress(tiny, file) == data


def _bundled():
    from lab.tokenizer import ASSETS

    return ASSETS / "base"


def _coded(loaded, data):
    """The coded file, also where storing would be shorter."""
    import lab.compression as compression

    stored, compression.STORED = compression.STORED, b"\0" * 100_000
    try:
        return compress(loaded, data)
    finally:
        compression.STORED = stored


def test_another_model_another_file_a_broken_file(tiny, tmp_path):
    other = LoadedModels(1 << 40).get(make_tiny_model(tmp_path / "other", seed=1))
    data = TEXTS[0].encode()
    file = _coded(tiny, data)
    with pytest.raises(ModelError, match="another model"):
        decompress(other, file)
    for broken in (b"", b"PK\3\4 something else", file[: HEAD - 1]):
        with pytest.raises(DataError, match="not compressed by Nudge"):
            decompress(tiny, broken)
    damaged = file[:HEAD] + bytes([file[HEAD] ^ 0x10]) + file[HEAD + 1 :]
    with pytest.raises(DataError, match="not what went in"):
        decompress(tiny, damaged)
    with pytest.raises(ModelError, match="no model"):
        compress(str(tmp_path / "nowhere"), data)


def test_a_stored_file_needs_no_model(tiny):
    assert decompress("nowhere", compress(tiny, b"\0\xff\x80")) == b"\0\xff\x80"


def test_bytes_that_are_no_text_become_byte_tokens():
    tokenizer = load_tokenizer("bundled:base")
    data = "Once — 👍".encode() + b"\xff\xfe" + b"\xed\xa0\x80" + b" again"
    ids = token_ids(tokenizer, data)
    assert tokenizer.decode_bytes(ids) == data
    assert token_ids(load_tokenizer("bytes"), data) == list(data)
    assert token_ids(load_tokenizer("characters"), b"\xff") is None
