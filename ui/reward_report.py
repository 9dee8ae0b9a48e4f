"""The report on a reward model as the page shows it, and its reading of a single text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from lab.reward_report import RewardReport, Share, label_curve, reward_report
from lab.run_dir import RunDir
from ui.plots import ENDED
from ui.widgets.base import Value, packed

if TYPE_CHECKING:
    from lab.completion import TokenRewards
    from lab.workspace import Workspace

TELLING = 0.1
"""A rank correlation with length beyond this is worth a warning."""


def report_of_run(workspace: Workspace, run_id: str) -> dict[str, Any]:
    """What the browser draws of a run, and whether it will change."""
    run = workspace.runs.get(run_id)
    report = reward_report(RunDir(run.folder))
    values = (
        None
        if report is None
        else report_values(report) | {"curve": curve_rows(label_curve(workspace.runs.list(), run))}
    )
    return {"active": run.status not in ENDED, "report": values}


def curve_rows(curve: list[tuple[int, Share]]) -> list[list[str]]:
    """The learning curve as rows of a table; none while there is only one point."""
    rows = [[f"{n:,}", f"{right.share:.0%}", f"{right.low:.0%} to {right.high:.0%}"] for n, right in curve]
    return rows if len(rows) > 1 else []


def report_values(report: RewardReport) -> dict[str, Any]:
    """A report as JSON values."""
    edges, chosen, rejected = report.histograms()
    return {
        "pairs": len(report.pairs),
        "sentences": sentences(report),
        "histogram": {"edges": edges, "chosen": chosen, "rejected": rejected},
        "calibration": [
            {"sure": sure, "share": right.share, "low": right.low, "high": right.high, "pairs": right.n}
            for sure, right in report.calibration()
        ],
        "worst": [
            {
                "prompt": pair.prompt,
                "chosen": pair.chosen,
                "rejected": pair.rejected,
                "rewards": [pair.chosen_reward, pair.rejected_reward],
            }
            for pair in report.worst()
        ],
    }


def sentences(report: RewardReport) -> list[str]:
    """The report in words, the most important first."""
    told = [
        f"Of {report.accuracy.n:,} labels that it has not seen it gets {share_words(report.accuracy)} right; "
        "a coin gets half.",
        f"A rule that prefers the longer reply would get {share_words(report.longer_wins)} right.",
    ]
    found, low, high = report.length_correlation()
    if math.isfinite(found):
        telling = abs(found) > TELLING and low * high > 0
        gain = f"can gain by writing {'longer' if found > 0 else 'shorter'}" if telling else "gains little by length"
        told.append(
            f"Its reward {'hangs' if telling else 'hardly hangs'} on length: rank correlation {found:+.2f} "
            f"(95 % interval {low:+.2f} to {high:+.2f}). A policy trained on it {gain}."
        )
    return told


def share_words(share: Share) -> str:
    """A share with its interval."""
    return f"{share.share:.0%} (95 % interval {share.low:.0%} to {share.high:.0%})"


def reading_value(found: TokenRewards) -> Value:
    """A text as a reward model reads it: its reward, and what each token of the reply does to it."""
    tokens = [{"text": text, "effect": effect} for text, effect in found.tokens]
    largest = max((abs(effect) for _, effect in found.tokens), default=0.0)
    return packed({"reward": found.reward, "tokens": tokens, "largest": largest})
