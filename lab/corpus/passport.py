"""The passport of a document: every rule with its value, its threshold, how close it was, and what came of it."""

from __future__ import annotations

import math
from typing import Any

from lab.corpus.decide import Decision
from lab.corpus.redact import redact
from lab.corpus.rules import STEPS, Rules


def passport(rules: Rules, decision: Decision, number: int, row: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows `rule step says value when threshold unit margin outcome source note`, in the order of the steps.

    `outcome` is one of `passed`, `dropped here`, `would also fail`, `nothing to measure`; for rules that change the
    text `cut n` (lines) or `replaced n`, and `nothing` when they found none.
    """
    place = {name: position for position, name in enumerate(decision.names)}
    blamed = int(decision.blamed[number])
    cut, private = list(row["cut"].values()), redact(row["text"]).values()
    rows = []
    for rule in rules:
        base = {
            "rule": rule.name,
            "step": STEPS[rule.step],
            "says": rule.says,
            "when": rule.when,
            "threshold": rule.threshold,
            "unit": rule.unit,
            "source": rule.source,
            "note": rule.note,
        }
        if rule.kind == "drops":
            position = place[rule.name]
            value = float(decision.values[number, position])
            known = not math.isnan(value)
            failed = bool(decision.fails[number, position])
            outcome = "passed" if known else "nothing to measure"
            if failed:
                outcome = "dropped here" if position == blamed else "would also fail"
            margin = round(rule.margin(value), 4) if known else None
            rows.append(base | {"value": value if known else None, "margin": margin, "outcome": outcome})
        else:
            found = cut.count(rule.name) if rule.kind == "cuts" else int(private[rule.name])
            done = "cut" if rule.kind == "cuts" else "replaced"
            outcome = f"{done} {found}" if found else "nothing"
            rows.append(base | {"value": found, "margin": None, "outcome": outcome})
    return rows
