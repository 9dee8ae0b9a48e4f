"""OpenAI's encodings (`tiktoken:cl100k_base` and its sisters) from their rank files, without tiktoken.

A rank file says which byte strings are tokens; two neighbouring tokens merge when together they are one, the lowest
rank first. For the `tokenizers` library that is a merge for every way to cut a token in two. The files are OpenAI's and
do not come with Nudge: they are looked for under the names they are published by, and under those of tiktoken's cache.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.errors import ModelError

PREFIX = "tiktoken:"
ADDRESS = "https://openaipublic.blob.core.windows.net/encodings/"

_CONTRACTIONS = "'(?:[sdmt]|ll|ve|re)"
_GPT2 = _CONTRACTIONS + r"| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_ENDING = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_O200K = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_ENDING}|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_ENDING}"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True)
class Encoding:
    """An encoding: its rank file with the file's SHA-256, the pattern that cuts words, its control tokens."""

    file: str
    sha256: str
    pattern: str
    special: Mapping[str, int]


_R50K = Encoding(
    "r50k_base.tiktoken",
    "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
    _GPT2,
    {"<|endoftext|>": 50256},
)
_P50K = "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069"
_FIM = ("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>")

ENCODINGS = {
    "gpt2": _R50K,
    "r50k_base": _R50K,
    "p50k_base": Encoding("p50k_base.tiktoken", _P50K, _GPT2, {"<|endoftext|>": 50256}),
    "p50k_edit": Encoding(
        "p50k_base.tiktoken",
        _P50K,
        _GPT2,
        {"<|endoftext|>": 50256} | {name: 50281 + n for n, name in enumerate(_FIM)},
    ),
    "cl100k_base": Encoding(
        "cl100k_base.tiktoken",
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
        _CL100K,
        {"<|endoftext|>": 100257} | {name: 100258 + n for n, name in enumerate(_FIM)} | {"<|endofprompt|>": 100276},
    ),
    "o200k_base": Encoding(
        "o200k_base.tiktoken",
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
        _O200K,
        {"<|endoftext|>": 199999, "<|endofprompt|>": 200018},
    ),
}
"""The encodings known, by the name that tiktoken gives them."""


def folders() -> list[Path]:
    """Where rank files are looked for: TIKTOKEN_CACHE_DIR, and where tiktoken keeps what it has downloaded."""
    named = [os.environ.get(name) for name in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR")]
    return [*(Path(folder) for folder in named if folder), Path(tempfile.gettempdir()) / "data-gym-cache"]


def find(name: str) -> Path | None:
    """The rank file of an encoding, when it is on this machine."""
    encoding = ENCODINGS[name]
    cached = hashlib.sha1((ADDRESS + encoding.file).encode(), usedforsecurity=False).hexdigest()
    places = (folder / file for folder in folders() for file in (encoding.file, cached))
    return next((path for path in places if path.is_file()), None)


def specification(name: str, alphabet: Mapping[str, int], folder: Path | None = None) -> dict[str, Any]:
    """The content of a tokenizer.json for an encoding, from its rank file in `folder` or where `find` finds it.

    `alphabet` is the letter that stands for each byte. Raises `ModelError` for an unknown name, a file that is not
    there and one that is another.
    """
    if name not in ENCODINGS:
        raise ModelError(f"There is no tiktoken encoding {name!r}; there are {', '.join(ENCODINGS)}.")
    encoding = ENCODINGS[name]
    path = folder / encoding.file if folder is not None else find(name)
    if path is None or not path.is_file():
        raise ModelError(
            f"The ranks of {name} are not on this machine. Put {encoding.file} (from {ADDRESS}{encoding.file}) into a "
            "folder and name that folder in the environment variable TIKTOKEN_CACHE_DIR, or use tiktoken once while "
            "online: its cache is found too."
        )
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != encoding.sha256:
        raise ModelError(f"{path} is not the published {encoding.file}: its checksum is another one. Get it again.")
    ranks = {b64decode(piece): int(rank) for piece, rank in (line.split() for line in content.splitlines() if line)}
    letters = {byte: letter for letter, byte in alphabet.items()}
    written = {piece: "".join(map(letters.__getitem__, piece)) for piece in ranks}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    split = {"type": "Split", "pattern": {"Regex": encoding.pattern}, "behavior": "Isolated", "invert": False}
    return {
        "version": "1.0",
        "added_tokens": [_special(text, id) for text, id in encoding.special.items()],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "ignore_merges": True,
            "vocab": {written[piece]: rank for piece, rank in ranks.items()} | dict(encoding.special),
            "merges": [[written[left], written[right]] for left, right in _merges(ranks)],
        },
    }


def _merges(ranks: Mapping[bytes, int]) -> Iterator[tuple[bytes, bytes]]:
    """Every way to put a token together from two, in the order of the ranks."""
    for piece in sorted(ranks, key=ranks.__getitem__):
        cuts = ((piece[:cut], piece[cut:]) for cut in range(1, len(piece)))
        known = [(left, right) for left, right in cuts if left in ranks and right in ranks]
        yield from sorted(known, key=lambda pair: (ranks[pair[0]], ranks[pair[1]]))


def _special(text: str, id: int) -> dict[str, Any]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": id, "content": text, **flags}
