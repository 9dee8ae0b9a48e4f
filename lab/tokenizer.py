"""Text to tokens and back, for any tokenizer, without torch or transformers.

A `Tokenizer` reads the `tokenizer.json` of a model folder with the `tokenizers` library. Two baselines stand beside it:
`bytes` (256 tokens) and `characters` (one token per Unicode code point). OpenAI's encodings are made from their rank
files (`lab/tiktoken_ranks.py`).

What is promised: joining the `.bytes` of `encode(text)` gives `text.encode()` for every tokenizer that loses nothing,
which is all byte-level BPE (GPT-2, Llama 3, Qwen, the bundled models) and SentencePiece vocabularies with byte fallback
(Llama 2, Mistral, Gemma). A normaliser that rewrites the text (lower case, NFKC) or an unknown token loses something;
then `.bytes` says what the model sees. The space that SentencePiece puts before a text is left out of the first token.
"""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import tokenizers

from lab.errors import ModelError
from lab.tiktoken_ranks import PREFIX, specification
from lab.tokenizer_folder import Beside, downloaded_tokenizer, read_beside

ASSETS = Path(__file__).resolve().parent.parent / "assets" / "models"


class Token(NamedTuple):
    """One token of a text.

    `start` and `end` count code points of that text; tokens that share one character (an emoji in three byte tokens)
    have the same pair. `text` is `bytes` as UTF-8, with U+FFFD where they are no whole character.
    """

    id: int
    text: str
    bytes: bytes
    start: int
    end: int
    special: bool = False


def byte_alphabet() -> dict[str, int]:
    """The character that stands for each byte in a byte-level BPE vocabulary (Radford et al. 2019, GPT-2's code)."""
    visible = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return {chr(byte): byte for byte in visible} | {chr(256 + n): byte for n, byte in enumerate(hidden)}


class Tokenizer:
    """What every tokenizer can do. Subclasses give the ids with their places, and the bytes of an id."""

    name: str = ""
    vocab_size: int = 0
    special_tokens: dict[str, int] = {}
    """Control tokens by their text: the ones that a person's text must not turn into."""
    added_tokens: dict[str, int] = {}
    """Every token matched as a whole before the text is cut: the special ones, and others such as `<tool_call>`."""
    named_tokens: dict[str, str] = {}
    """Control tokens by the name a chat template uses for them: `bos_token`, `eos_token`, …"""
    end_ids: tuple[int, ...] = ()
    """Tokens at which a generated text ends, the usual one first."""
    chat_template: str | None = None
    adds_prefix_space: bool = False
    """Whether a space is put before a text, as SentencePiece does."""
    adds_space_after_control_tokens: bool = False
    """Whether it is put after each control token too, as older tokenizers of the Llama family do."""

    @property
    def end_id(self) -> int | None:
        """The token that ends a text, or None when the tokenizer has none."""
        return self.end_ids[0] if self.end_ids else None

    def strips(self, special_token: str) -> tuple[bool, bool]:
        """Whether a control token takes the white space before and after it along."""
        return False, False

    def ids(self, text: str, parse_special: bool = False) -> list[int]:
        """The ids of a text. With `parse_special`, control tokens written in it become those tokens."""
        return [id for id, _, _ in self.spans(text, parse_special)]

    def spans(self, text: str, parse_special: bool = False) -> list[tuple[int, int, int]]:
        """(id, start, end) of each token of a text, in code points."""
        raise NotImplementedError

    def token_bytes(self, id: int) -> bytes:
        """The bytes that a token stands for. Raises `ModelError` for an id outside the vocabulary."""
        raise NotImplementedError

    def token_text(self, id: int) -> str:
        """The bytes of a token as text, with U+FFFD where they are no whole character."""
        return self.token_bytes(id).decode("utf-8", "replace")

    def encode(self, text: str, parse_special: bool = False) -> list[Token]:
        """The tokens of a text with their bytes and places. See `ids` for `parse_special`."""
        special = set(self.special_tokens.values())
        spans = self.spans(text, parse_special)
        pieces = [self.token_bytes(id) for id, _, _ in spans]
        if self.adds_prefix_space and pieces and pieces[0][:1] == b" ":
            length = len(_well_formed(text).encode())
            if sum(map(len, pieces)) == length + 1:
                pieces[0] = pieces[0][1:]
        return [
            Token(id, piece.decode("utf-8", "replace"), piece, start, end, id in special)
            for (id, start, end), piece in zip(spans, pieces, strict=True)
        ]

    def decode_bytes(self, ids: list[int]) -> bytes:
        """The bytes of the tokens joined, control tokens as they are written and no space taken away."""
        return b"".join(map(self.token_bytes, ids))

    def decode(self, ids: list[int], skip_special: bool = False) -> str:
        """The text of the ids: the inverse of `ids`. Bytes that are no whole character become U+FFFD."""
        if skip_special:
            special = set(self.special_tokens.values())
            ids = [id for id in ids if id not in special]
        text = self.decode_bytes(ids).decode("utf-8", "replace")
        return text[1:] if self.adds_prefix_space and text[:1] == " " else text

    def decode_reply(self, ids: list[int]) -> str:
        """The text of what a model wrote: without control tokens, and with no space taken away in front."""
        special = set(self.special_tokens.values())
        return self.decode_bytes([id for id in ids if id not in special]).decode("utf-8", "replace")


class BytesTokenizer(Tokenizer):
    """One token per byte of UTF-8."""

    name = "bytes"
    vocab_size = 256

    def spans(self, text: str, parse_special: bool = False) -> list[tuple[int, int, int]]:
        encoded = ((n, character.encode()) for n, character in enumerate(_well_formed(text)))
        return [(byte, n, n + 1) for n, piece in encoded for byte in piece]

    def token_bytes(self, id: int) -> bytes:
        if not 0 <= id < 256:
            raise ModelError(f"Token {id} is outside the vocabulary of 256 bytes.")
        return bytes([id])


class CharactersTokenizer(Tokenizer):
    """One token per Unicode code point; the id is the code point."""

    name = "characters"
    vocab_size = 0x110000

    def spans(self, text: str, parse_special: bool = False) -> list[tuple[int, int, int]]:
        return [(ord(character), n, n + 1) for n, character in enumerate(_well_formed(text))]

    def token_bytes(self, id: int) -> bytes:
        if not 0 <= id < self.vocab_size:
            raise ModelError(f"Token {id} is outside the range of Unicode.")
        return _well_formed(chr(id)).encode()


class FastTokenizer(Tokenizer):
    """A `tokenizer.json` with what stands beside it in the model folder."""

    def __init__(self, specification: dict[str, Any], folder: Path | None = None, name: str = "") -> None:
        """`specification` is the content of tokenizer.json. Raises `ModelError` when it is not one."""
        # The post-processor would add tokens nobody wrote, and trims spaces off the offsets.
        self._specification = orjson.dumps(
            specification | {"post_processor": None, "truncation": None, "padding": None},
            option=orjson.OPT_NON_STR_KEYS,
        )
        try:
            self._parsing = tokenizers.Tokenizer.from_buffer(self._specification)
        except Exception as error:  # the library raises plain Exception
            raise ModelError(f"The tokenizer.json of {name or folder} cannot be read: {error}") from error
        self.name = name or (folder.name if folder else "tokenizer")
        self._byte_level = _mentions(specification, "ByteLevel")
        self._byte_fallback = bool(specification.get("model", {}).get("byte_fallback"))
        self._metaspace = _mentions(specification, "Metaspace") or "▁" in json.dumps(
            [specification.get("normalizer"), specification.get("decoder")], ensure_ascii=False
        )
        self._added: dict[int, str] = {}
        self.special_tokens, self.added_tokens = {}, {}
        self._strips: dict[str, tuple[bool, bool]] = {}
        for token in specification.get("added_tokens") or []:
            self._added[token["id"]] = token["content"]
            self._strips[token["content"]] = bool(token.get("lstrip")), bool(token.get("rstrip"))
            self.added_tokens[token["content"]] = token["id"]
            if token.get("special"):
                self.special_tokens[token["content"]] = token["id"]
        self.vocab_size = self._parsing.get_vocab_size(with_added_tokens=True)
        self._bytes: dict[int, bytes] = {}
        self.adds_prefix_space = self._probe_prefix_space("", 0)
        if self.special_tokens:
            self.adds_space_after_control_tokens = self._probe_prefix_space(next(iter(self.special_tokens)), 1)
        beside = read_beside(folder) if folder else Beside()
        self.named_tokens, self.chat_template = dict(beside.named_tokens), beside.chat_template
        named_end = self._parsing.token_to_id(beside.named_tokens.get("eos_token", ""))
        self.end_ids = tuple(
            dict.fromkeys(id for id in (named_end, *beside.end_ids) if id is not None and 0 <= id < self.vocab_size)
        )
        if self.end_ids:
            self.named_tokens.setdefault("eos_token", self.token_text(self.end_ids[0]))

    @cached_property
    def specification(self) -> dict[str, Any]:
        """The content of its tokenizer.json."""
        return orjson.loads(self._specification)

    @cached_property
    def _plain(self) -> tokenizers.Tokenizer:
        """The same tokenizer, for which control tokens in the text are ordinary text."""
        plain = tokenizers.Tokenizer.from_buffer(self._specification)
        plain.encode_special_tokens = True
        return plain

    @cached_property
    def _alphabet(self) -> dict[str, int]:
        return byte_alphabet()

    def _probe_prefix_space(self, before: str, place: int) -> bool:
        ids = self._parsing.encode(before + "a", add_special_tokens=False).ids
        return len(ids) > place and self.token_bytes(ids[place])[:1] == b" "

    def strips(self, special_token: str) -> tuple[bool, bool]:
        return self._strips.get(special_token, (False, False))

    def words(self, text: str) -> list[str]:
        """The text as it is cut before the vocabulary is looked at, in the letters of the vocabulary."""
        text = _well_formed(text)
        if self._parsing.normalizer is not None:
            text = self._parsing.normalizer.normalize_str(text)
        cutter = self._parsing.pre_tokenizer
        return [word for word, _ in cutter.pre_tokenize_str(text)] if cutter is not None else [text]

    def _encoding(self, text: str, parse_special: bool) -> tokenizers.Encoding:
        encoder = self._parsing if parse_special or not self.special_tokens else self._plain
        try:
            return encoder.encode(text, add_special_tokens=False)
        except (UnicodeEncodeError, TypeError):  # half of a surrogate pair, from a JSON escape
            return encoder.encode(_well_formed(text), add_special_tokens=False)

    def ids(self, text: str, parse_special: bool = False) -> list[int]:
        return self._encoding(text, parse_special).ids

    def spans(self, text: str, parse_special: bool = False) -> list[tuple[int, int, int]]:
        encoding = self._encoding(text, parse_special)
        return [(id, start, end) for id, (start, end) in zip(encoding.ids, encoding.offsets, strict=True)]

    def token_bytes(self, id: int) -> bytes:
        known = self._bytes.get(id)
        if known is None:
            known = self._bytes[id] = self._work_out_bytes(id)
        return known

    def _work_out_bytes(self, id: int) -> bytes:
        if id in self._added:
            return self._added[id].encode()
        piece = self._parsing.id_to_token(id) if id >= 0 else None
        if piece is None:
            raise ModelError(f"Token {id} is outside the vocabulary of {self.name} ({self.vocab_size} tokens).")
        if self._byte_level:
            return b"".join(
                bytes([self._alphabet[character]]) if character in self._alphabet else character.encode()
                for character in piece
            )
        if self._byte_fallback and len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">"):
            return bytes([int(piece[3:5], 16)])
        return piece.replace("▁", " ").encode() if self._metaspace else piece.encode()


def load_tokenizer(reference: str | Path | Tokenizer) -> Tokenizer:
    """The tokenizer of a model folder (or of a tokenizer.json), of `bundled:<name>`, of a downloaded model of the Hub
    (`org/name`), an encoding of OpenAI's such as `tiktoken:cl100k_base` (or its rank file), `bytes` or `characters`.

    Raises `ModelError` when there is none. References to runs are resolved by the workspace first.
    """
    if isinstance(reference, Tokenizer):
        return reference
    if reference == "bytes":
        return BytesTokenizer()
    if reference == "characters":
        return CharactersTokenizer()
    text = str(reference)
    if text.startswith(PREFIX):
        return _tiktoken(text.removeprefix(PREFIX))
    if text.endswith(".tiktoken"):
        return _tiktoken(Path(reference).stem, Path(reference).parent)
    path = ASSETS / text.removeprefix("bundled:") if text.startswith("bundled:") else Path(reference)
    file = path if path.suffix == ".json" else path / "tokenizer.json"
    if not path.exists() and (cached := downloaded_tokenizer(text)):
        path, file = cached.parent, cached
    if not path.exists():
        raise ModelError(
            f"There is no tokenizer {text!r}: neither a folder, nor a model of the Hub that has been downloaded, nor "
            "`tiktoken:<name>`, `bytes` or `characters`."
        )
    if not file.is_file():
        raise ModelError(
            f"The folder {path} has no tokenizer.json. An older kind of tokenizer is converted when its model is "
            "loaded: load the model once in the Completion tab, or save it with transformers' `save_pretrained`."
        )
    try:
        specification = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise ModelError(f"{file} cannot be read: {error}") from error
    if not isinstance(specification, dict) or "model" not in specification:
        raise ModelError(f"{file} is not a tokenizer: it has no `model` part.")
    return FastTokenizer(specification, file.parent, file.parent.name)


def _tiktoken(name: str, folder: Path | None = None) -> FastTokenizer:
    """One of OpenAI's encodings. Raises `ModelError` when its ranks are not on this machine."""
    made = FastTokenizer(specification(name, byte_alphabet(), folder), name=name)
    made.vocab_size = 1 + max(made.specification["model"]["vocab"].values())  # ids have gaps
    return made


def _well_formed(text: str) -> str:
    """`text` with half surrogate pairs as U+FFFD: the same number of code points, and UTF-8 can hold it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join("\ufffd" if 0xD800 <= ord(character) < 0xE000 else character for character in text)
    return text


def _mentions(specification: dict[str, Any], kind: str) -> bool:
    parts = [specification.get("pre_tokenizer"), specification.get("decoder")]
    return f'"type": "{kind}"' in json.dumps(parts)
