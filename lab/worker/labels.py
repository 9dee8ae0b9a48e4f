"""The labels of a run, read from its folder: what a reward model and DPO learn from."""

from __future__ import annotations

from typing import Any

from lab.chat_template import ChatTemplate
from lab.errors import DataError
from lab.events import RunReporter
from lab.preference_batching import EncodedPair, encode_pairs
from lab.run_dir import RunDir, read_jsonl

MEASURED = 400
"""Held-out pairs that are measured at most: enough for an interval of ±5 points."""


def labels(
    run: RunDir, template: ChatTemplate, max_length: int, report: RunReporter, *, ties: bool
) -> tuple[list[EncodedPair], list[EncodedPair], list[dict[str, Any]]]:
    """Pairs to train on, pairs to measure on, and rows to take prompts from.

    Without `ties`, pairs of equally good replies are left out. Raises `DataError` when nothing is left to train on.
    """
    files = (enumerate(read_jsonl(run.data / f"{name}.jsonl")) for name in ("train", "heldout"))
    rows, heldout = ([(n, row) for n, row in file if ties or not row.get("tie")] for file in files)
    heldout = [heldout[n * len(heldout) // MEASURED] for n in range(MEASURED)] if len(heldout) > MEASURED else heldout
    refused: list[str] = []
    pairs = encode_pairs(rows, template, max_length, refused)
    if not pairs and refused:
        raise DataError(f"The model's chat template takes none of the {len(rows):,} pairs. {refused[0]}")
    if not pairs:
        raise DataError(
            f"None of the {len(rows):,} pairs fits into {max_length} tokens with both replies: there is nothing to "
            "learn. Raise max_length, or take other pairs."
        )
    if refused:
        report.message(f"{len(refused):,} of {len(rows):,} pairs are left out. {refused[0]}")
    if too_long := len(rows) - len(pairs) - len(refused):
        report.message(f"{too_long:,} of {len(rows):,} pairs are left out: a reply ends after {max_length:,} tokens.")
    return pairs, encode_pairs(heldout, template, max_length, refused), [row for _, row in heldout or rows[:MEASURED]]
