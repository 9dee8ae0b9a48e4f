"""Prediction is compression: a file as the few bits that a model needs to be told what comes next.

Both directions make the same steps with the same network, one token at a time, and give every token of the vocabulary
a share of a bar; `lab/arithmetic_coding.py` does the rest. So the size is Σ −log2 p of the tokens, to a byte or so, and
the loss of training is the size of a file. Floating-point sums must come out alike in both directions: the same model,
kind of device, version of torch and number of threads (the file names the model and the threads, and says by a checksum
when what comes back is not what went in).

A long file is cut into lanes that are coded side by side. A lane whose context window is full goes on from the last
half of it. Shapes: `R` lanes, `V` vocabulary.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from lab.arithmetic_coding import BAR_BITS, ArithmeticDecoder, ArithmeticEncoder
from lab.errors import DataError, ModelError
from lab.generate import decoder_for
from lab.loaded_models import Loaded, LoadedModels
from lab.tokenizer import ASSETS, Tokenizer

MAGIC = b"NDG1"
STORED, CODED = b"\0", b"\1"
LANE = 4096
"""Tokens for which another lane is opened: a lane begins without context, which costs a few dozen bytes."""
MOST_LANES = 16
_HEAD = struct.Struct("<16sBBII")
"""Model, threads, lanes, tokens, CRC-32 of the data."""
_ESCAPED = re.compile("([\udc80-\udcff]+)")

Result = TypeVar("Result")
Progress = Callable[[int, int], None]
"""Told the tokens done and the tokens there are."""


@dataclass(frozen=True)
class Coded:
    """A compressed file and what it is made of. `bits` is the arithmetic code alone, `ideal_bits` is Σ −log2 p."""

    file: bytes
    size: int
    """Bytes before."""
    tokens: int
    bits: int | None
    """None when the tokenizer cannot write every byte, so that the data are stored as they are."""
    ideal_bits: float

    @property
    def stored(self) -> bool:
        """Whether the file holds the data as they are, because coding would have made them longer."""
        return self.file[4:5] == STORED


def compress(model: str | Path | Loaded, data: bytes, watch: Progress | None = None) -> bytes:
    """`data` as a file that the same model turns back; never more than 16 bytes longer. Raises `ModelError`.

    `model` is a folder, `bundled:<name>`, or a loaded model.
    """
    return drain(coding(_loaded(model), data), watch).file


def decompress(model: str | Path | Loaded, file: bytes, watch: Progress | None = None) -> bytes:
    """The data of a file made by `compress`. Raises `DataError` for another kind of file or a damaged one, and
    `ModelError` for another model than the one it was made with."""
    return drain(decoding(None if is_stored(file) else _loaded(model), file), watch)


def is_stored(file: bytes) -> bool:
    """Whether a compressed file needs no model to be read."""
    return file[: len(MAGIC) + 1] == MAGIC + STORED


def drain(work: Generator[tuple[int, int], None, Result], watch: Progress | None = None) -> Result:
    """Do the work of `coding` or `decoding` to its end."""
    while True:
        try:
            done = next(work)
        except StopIteration as end:
            return end.value
        if watch is not None:
            watch(*done)


def coding(loaded: Loaded, data: bytes) -> Generator[tuple[int, int], None, Coded]:
    """Compress step by step: yields (tokens done, tokens), returns the result."""
    ids = token_ids(loaded.tokenizer, data)
    stored = MAGIC + STORED + data
    if ids is None:
        return Coded(stored, len(data), 0, None, 0.0)
    lanes = min(MOST_LANES, max(1, len(ids) // LANE))
    encoder, ideal_bits, done = ArithmeticEncoder(), 0.0, 0
    model = _Lockstep(loaded, lanes)
    for column in _columns(ids, lanes):
        shares_RV = model.shares()
        ends_RV = bars(shares_RV)
        for row, id in enumerate(column):
            start = int(ends_RV[row, id - 1]) if id else 0
            encoder.add(start, int(ends_RV[row, id]) - start)
        chosen = shares_RV[range(len(column)), column]
        ideal_bits -= float(np.log2(np.maximum(chosen, 5e-324)).sum())
        model.read(column)
        done += len(column)
        yield done, len(ids)
    code = encoder.finish()
    head = _HEAD.pack(fingerprint(loaded), torch.get_num_threads(), lanes, len(ids), zlib.crc32(data))
    file = MAGIC + CODED + head + code
    return Coded(min(file, stored, key=len), len(data), len(ids), 8 * len(code), ideal_bits)


def decoding(loaded: Loaded | None, file: bytes) -> Generator[tuple[int, int], None, bytes]:
    """Decompress step by step: yields (tokens done, tokens), returns the data. A stored file needs no model."""
    if is_stored(file):
        return file[len(MAGIC) + 1 :]
    body = len(MAGIC) + 1 + _HEAD.size
    if file[: len(MAGIC) + 1] != MAGIC + CODED or len(file) < body or loaded is None:
        raise DataError("This file was not compressed by Nudge, or its beginning is missing.")
    model_hash, threads, lanes, tokens, checksum = _HEAD.unpack_from(file, len(MAGIC) + 1)
    if model_hash != fingerprint(loaded):
        raise ModelError("This file was compressed with another model. Only the same model can read it.")
    decoder = ArithmeticDecoder(file[body:])
    written: list[list[int]] = [[] for _ in range(lanes)]
    done = 0
    with _threads(threads):
        model = _Lockstep(loaded, lanes)
    while done < tokens:
        with _threads(threads):
            ends_RV = bars(model.shares())
            column = [_next(decoder, ends_RV[row]) for row in range(min(lanes, tokens - done))]
            model.read(column)
        for lane, id in zip(written, column):
            lane.append(id)
        done += len(column)
        yield done, tokens
    data = loaded.tokenizer.decode_bytes([id for lane in written for id in lane])
    if zlib.crc32(data) != checksum:
        raise DataError(
            "What came back is not what went in: the file is damaged, or this machine's floating-point sums "
            "differ from those of the machine that made it."
        )
    return data


def token_ids(tokenizer: Tokenizer, data: bytes) -> list[int] | None:
    """Tokens whose bytes joined are exactly `data`, for text or not; None when the vocabulary lacks a byte."""
    ids: list[int] = []
    alphabet: dict[int, int] | None = None
    for part in _ESCAPED.split(data.decode("utf-8", "surrogateescape")):
        wanted = part.encode("utf-8", "surrogateescape")
        found = [] if _ESCAPED.fullmatch(part) else tokenizer.ids(part)
        if part and tokenizer.decode_bytes(found) != wanted:
            alphabet = _byte_tokens(tokenizer) if alphabet is None else alphabet
            if not alphabet.keys() >= set(wanted):
                return None
            found = [alphabet[byte] for byte in wanted]
        ids += found
    return ids


def bars(shares_RV: np.ndarray) -> np.ndarray:
    """Where each token's interval ends on the bar of each row (int64): its share of 2⁴⁰, and at least 1."""
    sizes_RV = (shares_RV * ((1 << BAR_BITS) - shares_RV.shape[1])).astype(np.int64) + 1
    return sizes_RV.cumsum(-1)


def fingerprint(loaded: Loaded) -> bytes:
    """16 bytes that name a model: of its weights and of its vocabulary."""
    digest = hashlib.blake2b(digest_size=16)
    for name, weight in sorted(loaded.model.state_dict().items()):
        digest.update(name.encode())
        digest.update(weight.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    for id in range(loaded.tokenizer.vocab_size):
        piece = loaded.token_bytes(id)
        digest.update(len(piece).to_bytes(4, "little") + piece)
    return digest.digest()


# --- the model's side ------------------------------------------------------------------------------------------------


class _Lockstep:
    """The model reading all lanes, one token of each at a time."""

    def __init__(self, loaded: Loaded, lanes: int) -> None:
        start = [*loaded.start_ids, *loaded.model.end_ids, *loaded.tokenizer.end_ids, 0][0]
        self._model = loaded.model
        self._device = next(loaded.model.parameters()).device
        self._read = [[start] for _ in range(lanes)]
        self._logits_RV = self._begin()

    @torch.inference_mode()
    def _begin(self) -> Tensor:
        self._decoder = decoder_for(self._model)
        return self._decoder.prefill(self._read)

    @torch.inference_mode()
    def read(self, column: list[int]) -> None:
        """The lanes' next tokens. At the end a lane may have none: it reads anything."""
        column = column + [0] * (len(self._read) - len(column))
        for lane, id in zip(self._read, column, strict=True):
            lane.append(id)
        window = self._model.context_length
        if len(self._read[0]) < window:
            self._logits_RV = self._decoder.step(torch.tensor(column, device=self._device))
        else:
            self._read = [lane[-max(1, window // 2) :] for lane in self._read]
            self._logits_RV = self._begin()

    def shares(self) -> np.ndarray:
        """The probability (R, V) of every token to be the next of each lane, in double precision."""
        logits_RV = self._logits_RV.float().cpu().numpy().astype(np.float64)
        shares_RV = np.exp(logits_RV - logits_RV.max(-1, keepdims=True))
        shares_RV /= shares_RV.sum(-1, keepdims=True)
        if not np.isfinite(shares_RV).all():
            raise ModelError("The model's output is not a number (NaN or infinity): its weights are broken.")
        return shares_RV


def _columns(ids: list[int], lanes: int) -> Iterator[list[int]]:
    """The lanes' first tokens, their second ones, … The first lanes are longer by one where needed."""
    length, longer = divmod(len(ids), lanes)
    starts = [lane * length + min(lane, longer) for lane in range(lanes)]
    for step in range(length):
        yield [ids[start + step] for start in starts]
    if longer:
        yield [ids[start + length] for start in starts[:longer]]


def _next(decoder: ArithmeticDecoder, ends_V: np.ndarray) -> int:
    id = min(int(ends_V.searchsorted(decoder.place(), side="right")), len(ends_V) - 1)
    start = int(ends_V[id - 1]) if id else 0
    decoder.take(start, int(ends_V[id]) - start)
    return id


def _byte_tokens(tokenizer: Tokenizer) -> dict[int, int]:
    """The token of each single byte, as far as there is one."""
    special = set(tokenizer.special_tokens.values())
    pieces = ((id, tokenizer.token_bytes(id)) for id in range(tokenizer.vocab_size) if id not in special)
    return {piece[0]: id for id, piece in pieces if len(piece) == 1}


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Work with so many threads, since sums may depend on it."""
    before = torch.get_num_threads()
    if count != before:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        if count != before:
            torch.set_num_threads(before)


def _loaded(model: str | Path | Loaded) -> Loaded:
    if isinstance(model, Loaded):
        return model
    text = str(model)
    folder = ASSETS / text.removeprefix("bundled:") if text.startswith("bundled:") else Path(model)
    if not folder.is_dir():
        raise ModelError(f"There is no model {text!r}: neither a folder, nor bundled.")
    return LoadedModels(1 << 62).get(folder)
