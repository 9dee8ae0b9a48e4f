"""A text from bits to tokens, two tokenizers on one text, and what was found in a vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from lab.token_study import Found, Lengths, Segment
from ui.widgets.base import Value, packed, widget

LADDER_SYMBOLS = 40
"""Symbols shown at the beginning of each rung."""
ALIGNED_AT_MOST = 3_000
"""Segments of two tokenizers sent to the browser."""


def figures_view(value: Value | None = None, *, label: str, elem_id: str, **options: Any) -> gr.HTML:
    """Numbers in a line, each with its name. Value: `text_figures`, or `packed([{"number": …, "name": …}, …])`."""
    return widget("figures", value, label=label, elem_id=elem_id, **options)


def text_figures(counts: Lengths) -> Value:
    """The numbers of a text for a `figures_view`."""
    named = [
        (f"{counts.tokens:,}", _plural(counts.tokens, "token")),
        (f"{counts.code_points:,}", _plural(counts.code_points, "character")),
        (f"{counts.bytes:,}", _plural(counts.bytes, "byte")),
        (f"{counts.bytes_per_token:.2f}", "bytes per token"),
        (f"{counts.tokens_per_word:.2f}", "tokens per word"),
    ]
    return packed([{"number": number, "name": name} for number, name in named])


def ladder_view(value: Value | None = None, *, label: str, elem_id: str, **options: Any) -> gr.HTML:
    """The same text as letters, code points, bytes, bits and tokens. Value: `ladder_value`."""
    return widget("ladder", value, label=label, elem_id=elem_id, **options)


def ladder_value(text: str, ids: Sequence[int], counts: Lengths, vocab_size: int) -> Value:
    """The value of a `ladder_view`: rungs with their length, the number of symbols to choose from, and their beginning.

    The first rung, characters as a reader counts them, is counted by the browser, which knows Unicode's rules.
    """
    start = text[:LADDER_SYMBOLS]
    raw = start.encode("utf-8", "replace")[:LADDER_SYMBOLS]
    rungs = [
        _rung("code points", counts.code_points, 0x110000, [f"U+{ord(character):04X}" for character in start]),
        _rung("bytes (UTF-8)", counts.bytes, 256, [f"{byte:02x}" for byte in raw]),
        _rung("bits", counts.bits, 2, [f"{byte:08b}" for byte in raw]),
        _rung("tokens", counts.tokens, vocab_size, [str(id) for id in ids[:LADDER_SYMBOLS]]),
    ]
    return packed({"text": text[:20_000], "whole": len(text) <= 20_000, "rungs": rungs})


def aligned_view(value: Value | None = None, *, label: str, elem_id: str, **options: Any) -> gr.HTML:
    """Two tokenizers on one text, one above the other, with the cuts that differ marked. Value: `aligned_value`."""
    return widget("aligned", value, label=label, elem_id=elem_id, **options)


def aligned_value(
    names: tuple[str, str], first: Sequence[Any], second: Sequence[Any], cuts: Sequence[Segment]
) -> Value:
    """The value of an `aligned_view` from two lists of tokens and `lab.token_study.segments` of them."""
    shown = cuts[:ALIGNED_AT_MOST]
    rows = [{"top": _pieces(first, cut.first), "bottom": _pieces(second, cut.second)} for cut in shown]
    differing = sum(not cut.same for cut in cuts)
    return packed(
        {
            "names": list(names),
            "counts": [len(first), len(second)],
            "segments": rows,
            "note": f"{names[0]}: {len(first):,} tokens. {names[1]}: {len(second):,} tokens. "
            + (
                f"They differ in {differing:,} of {len(cuts):,} places."
                if differing
                else "They cut at the same places."
            )
            + (f" The first {len(shown):,} places are shown." if len(cuts) > len(shown) else ""),
        }
    )


def found_view(value: Value | None = None, *, label: str, elem_id: str, **options: Any) -> gr.HTML:
    """Tokens found in a vocabulary. Value: `found_value`."""
    return widget("found", value, label=label, elem_id=elem_id, **options)


def found_value(found: Found, query: str) -> Value:
    """The value of a `found_view`."""
    rows = [{"id": id, "text": piece.decode("utf-8", "replace"), "bytes": piece.hex(" ")} for id, piece in found.tokens]
    if not query:
        note = "Type a piece of text to see which tokens contain it."
    elif not found.total:
        note = "No token of this vocabulary has that."
    else:
        shown = "" if found.total == len(rows) else f" The {len(rows):,} shortest are shown."
        note = f"{found.total:,} {_plural(found.total, 'token')}.{shown}"
    return packed({"rows": rows, "note": note})


def _rung(name: str, length: int, symbols: int, start: list[str]) -> dict[str, Any]:
    return {"name": name, "length": length, "symbols": symbols, "start": start}


def _pieces(tokens: Sequence[Any], places: range) -> list[list[str]]:
    return [[tokens[place].text, tokens[place].bytes.hex(" ")] for place in places]


def _plural(number: int, word: str) -> str:
    return word if number == 1 else f"{word}s"
