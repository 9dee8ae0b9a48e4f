"""Byte-pair encoding to look at: training merge by merge, a token's tree, and a word while it is encoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from lab.merging import EncodingStep, Merge, MergeTraining, Node
from lab.tokenizer import Tokenizer
from ui.widgets.base import Value, packed, widget

SAMPLE_BYTES = 1_500
"""Of the text, shown getting shorter."""


def training_view(value: Value | None = None, *, label: str, elem_id: str, empty: str = "") -> gr.HTML:
    """BPE training, to be moved through merge by merge. Value: `training_value`."""
    return widget("merging", value, label=label, elem_id=elem_id, empty=empty)


def training_value(
    training: MergeTraining, merges: Sequence[Merge], words: Sequence[Sequence[int]], size: int, done: bool
) -> Value:
    """The value of a `training_view`.

    Args:
        training: as far as it has come.
        merges: the merges so far.
        words: the beginning of the text as words of bytes; the page merges them itself, so that any merge is at hand.
        size: bytes of the whole text.
        done: whether no more merges are to come.
    """
    return packed(
        {
            "pieces": [_shown(piece) for piece in training.pieces],
            "words": [list(word) for word in words],
            "steps": [[*merge.pair, merge.id, merge.times, merge.length] for merge in merges],
            "candidates": [[[*pair, count] for pair, count in merge.candidates] for merge in merges],
            "size": size,
            "done": done,
        }
    )


def tree_view(value: Value | None = None, *, label: str, elem_id: str, empty: str = "") -> gr.HTML:
    """How a word is encoded merge by merge, and the trees of its tokens. Value: `tree_value`."""
    return widget("encoding", value, label=label, elem_id=elem_id, empty=empty)


def tree_value(words: Sequence[tuple[Sequence[EncodingStep], Sequence[Node]]], tokenizer: Tokenizer) -> Value:
    """The value of a `tree_view` from the steps and the trees of each word."""
    rows = [
        {
            "steps": [
                {"pieces": [_shown(tokenizer.token_bytes(id)) for id in step.ids], "made": step.made, "rank": step.rank}
                for step in steps
            ],
            "trees": [_tree(tree, tokenizer) for tree in trees],
        }
        for steps, trees in words
    ]
    return packed({"words": rows})


def _tree(node: Node, tokenizer: Tokenizer) -> dict[str, Any]:
    parts = [_tree(part, tokenizer) for part in node.parts]
    return {"id": node.id, "piece": _shown(tokenizer.token_bytes(node.id)), "rank": node.rank, "parts": parts}


def _shown(piece: bytes) -> list[str]:
    """A token's text, and its bytes in hex where they are no whole text."""
    try:
        return [piece.decode("utf-8")]
    except UnicodeDecodeError:
        return ["", piece.hex(" ")]
