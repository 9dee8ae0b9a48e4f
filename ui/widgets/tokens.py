"""Text as a model sees it: a sequence of pieces, each with its id, its bytes and its place in the text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr

from lab.chat_template import Encoded
from lab.tokenizer import Token, Tokenizer
from ui.widgets.base import Value, packed, widget

SHOWN_AT_MOST = 50_000
"""Tokens sent to the browser; what goes beyond is counted, not drawn."""


def token_view(value: Value | None = None, *, label: str, elem_id: str, **options: Any) -> gr.HTML:
    """Coloured tokens with ids, bytes and offsets, and the loss mask when there is one. Value: `token_value`."""
    return widget("tokens", value, label=label, elem_id=elem_id, **options)


def encoded_tokens(tokenizer: Tokenizer, encoded: Encoded) -> list[Token]:
    """The tokens of an encoded conversation, for `token_value`."""
    special = set(tokenizer.special_tokens.values())
    pieces = [tokenizer.token_bytes(id) for id in encoded.ids]
    return [
        Token(id, piece.decode("utf-8", "replace"), piece, start, end, id in special)
        for id, piece, start, end in zip(encoded.ids, pieces, encoded.starts, encoded.ends, strict=True)
    ]


def token_value(
    tokens: Sequence[Any],
    loss_mask: Sequence[bool] | None = None,
    note: str = "",
    *,
    total: int | None = None,
    limit: int = SHOWN_AT_MOST,
) -> Value:
    """The value of a `token_view`, as columns.

    Args:
        tokens: objects with `.id .text .bytes .start .end .special` (see `lab.tokenizer.Token`).
        loss_mask: for each token whether training learns to predict it; None without a mask.
        note: a sentence shown under the tokens.
        total: how many tokens the text has, when `tokens` are only the first of them.
        limit: tokens drawn at most.

    Returns:
        `ids`, `texts`, `starts`, `ends` of the drawn tokens; `bytes` {index: hex} where the bytes are not simply the
        text's; `special` indices; `parts` {index: [k, n, characters]} for a token that is only part k of n of
        `characters`; `loss` indices or None; `total`.
    """
    shown = tokens[:limit]
    parts = dict(_parts_of_characters([token.bytes for token in shown]))
    texts = [token.text for token in shown]
    for index, (k, _, characters) in parts.items():
        texts[index] = characters if k == 1 else ""
    return packed(
        {
            "ids": [token.id for token in shown],
            "texts": texts,
            "starts": [token.start for token in shown],
            "ends": [token.end for token in shown],
            "bytes": {
                str(index): token.bytes.hex(" ")
                for index, token in enumerate(shown)
                if index in parts or token.bytes != token.text.encode("utf-8", "surrogatepass")
            },
            "special": [index for index, token in enumerate(shown) if token.special],
            "parts": {str(index): part for index, part in parts.items()},
            "loss": None if loss_mask is None else [index for index, on in enumerate(loss_mask[:limit]) if on],
            "total": len(tokens) if total is None else total,
            "note": note,
        }
    )


def _parts_of_characters(pieces: Sequence[bytes]) -> Iterator[tuple[int, tuple[int, int, str]]]:
    """For every token that is no whole text by itself: (index, (k, n, characters)) with the n tokens that together are
    `characters`; bytes that never become a character stand alone, as the replacement sign."""
    index = 0
    while index < len(pieces):
        length = _group_length(pieces, index)
        if length:
            characters = b"".join(pieces[index : index + length]).decode("utf-8", "replace")
            for k in range(length):
                yield index + k, (k + 1, length, characters)
        index += max(1, length)


def _group_length(pieces: Sequence[bytes], first: int, longest: int = 16) -> int:
    """How many tokens from `first` on make whole characters together; 0 when the first is whole by itself."""
    if _is_whole(pieces[first]):
        return 0
    joined = b""
    for length, piece in enumerate(pieces[first : first + longest], start=1):
        joined += piece
        if _is_whole(joined):
            return length
    return 1


def _is_whole(piece: bytes) -> bool:
    try:
        piece.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
