"""Who stays: from the measured values, the thresholds and the order of the steps. Fast enough to follow a slider."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lab.corpus.near_duplicates import first_of_each
from lab.corpus.rules import Rules
from lab.corpus.store import NAMES

KEPT = -1
_COLUMN = {name: column for column, name in enumerate(NAMES)}
_COMPARE = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}


@dataclass(frozen=True)
class Decision:
    """What the rules made of N documents.

    `fails` [N, rules]: which rules a document fails, in the order of `names`; `blamed` [N]: the first of them, or -1
    for a document that is kept; `like` [N]: the document it is a near-duplicate of, or its own number;
    `values` [N, rules]: what was compared.
    """

    names: tuple[str, ...]
    fails: np.ndarray
    blamed: np.ndarray
    like: np.ndarray
    values: np.ndarray

    @property
    def kept(self) -> np.ndarray:
        """[N]: whether a document stays."""
        return self.blamed == KEPT

    def by_rule(self) -> dict[str, int]:
        """Rule → how many documents it is to blame for."""
        counts = np.bincount(self.blamed[self.blamed >= 0], minlength=len(self.names))
        return dict(zip(self.names, map(int, counts)))


def decide(values: np.ndarray, buckets: np.ndarray, rules: Rules) -> Decision:
    """Decide over N documents.

    Args:
        values: [N, 2, R], see `MeasuredPages.values`.
        buckets: [N, 2, 14].
        rules: thresholds and order.
    """
    dropping = [rule for rule in rules if rule.kind == "drops"]
    names = tuple(rule.name for rule in dropping)
    cut_at = rules.order.index("c4") if "c4" in rules.order else len(rules.order)
    compared = np.empty((len(values), len(names)), dtype=np.float32)
    fails = np.zeros((len(values), len(names)), dtype=bool)
    for place, rule in enumerate(dropping):
        after = int(rules.order.index(rule.step) > cut_at)
        compared[:, place] = values[:, after, _COLUMN[rule.name]]
        if rule.step != "duplicates":
            with np.errstate(invalid="ignore"):
                fails[:, place] = _COMPARE[rule.when](compared[:, place], np.float32(rule.threshold))
    like = np.arange(len(values))
    if "near_duplicate" in names:
        place = names.index("near_duplicate")
        alive = np.ones(len(values), dtype=bool)
        alive[fails[:, :place].any(axis=1)] = False
        after = int(rules.order.index("duplicates") > cut_at)
        needed = max(1, round(dropping[place].threshold))
        like = first_of_each(buckets[:, after], alive, needed)
        fails[:, place] = like != np.arange(len(values))
        compared[:, place] = (buckets[:, after] == buckets[like, after]).sum(axis=1) * fails[:, place]
    blamed = np.where(fails.any(axis=1), fails.argmax(axis=1), KEPT)
    return Decision(names, fails, blamed, like, compared)


def funnel(decision: Decision, tokens: np.ndarray, rules: Rules) -> list[dict[str, object]]:
    """The steps with the documents and tokens that come in, that are dropped there, and that go on; `tokens` [N, 2]."""
    cut_at = rules.order.index("c4") if "c4" in rules.order else len(rules.order)
    step_of = {rule.name: rule.step for rule in rules}
    bands: list[dict[str, object]] = []
    alive = np.ones(len(decision.blamed), dtype=bool)
    for place, step in enumerate(rules.order):
        own = [number for number, name in enumerate(decision.names) if step_of[name] == step]
        gone = np.isin(decision.blamed, own)
        left = alive & ~gone
        reasons = {decision.names[n]: int((decision.blamed == n).sum()) for n in own}
        bands.append(
            {
                "step": step,
                "documents_in": int(alive.sum()),
                "documents": int(left.sum()),
                "dropped": int(gone.sum()),
                "tokens": int(tokens[left, int(place >= cut_at)].sum()),
                "reasons": {name: count for name, count in reasons.items() if count},
            }
        )
        alive = left
    return bands
