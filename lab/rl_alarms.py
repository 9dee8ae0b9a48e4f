"""What somebody who watches a run of reinforcement learning should be told: each alarm with its cause and a way out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import mean

from lab.alarms import Alarm, Curve

FAR = 10.0
"""Nats per completion between policy and reference: what is written is e¹⁰ times less probable under the reference."""
SAME = 0.1
"""Share of its first entropy below which the samples of a policy are nearly all the same."""
FALL = 0.1
"""What held-out accuracy has to lose, or the gold score of what it had gained, to be called a fall."""
CUT = 0.3
"""Share of the completions cut off at the longest length that is too many."""
LONG = 3
"""Points for which something has to last."""

_BACK = "Stop, and start again from a checkpoint before it, with a smaller learning rate or a KL coefficient."


def rl_alarms(curve: Callable[[str], Curve]) -> list[Alarm]:
    """The flags of a run, by step. `curve(name)` gives the points of a metric; other runs have none of these."""
    reward = curve("reward/mean")
    if not curve("entropy/policy")[0]:
        return []
    found = [
        _first(curve("loss/policy"), lambda value: not math.isfinite(value), 1, _NOT_FINITE),
        _first(curve("kl/reference"), lambda value: value > FAR, 1, _FAR_AWAY),
        _collapse(curve("entropy/policy"), curve("share/signal")),
        _fooled(reward, curve("reward/gold"), _GOLD_FALLS),
        _fooled(reward, curve("accuracy/heldout"), _HELDOUT_FALLS),
        _first(curve("share/cut"), lambda value: value > CUT, LONG, _AT_THE_LIMIT),
        _first(curve("share/unjudged"), lambda value: value > 0.5, 1, _UNJUDGED),
        _first(curve("share/signal"), lambda value: value < 0.1, 5, _NO_SIGNAL),
    ]
    return sorted((alarm for alarm in found if alarm is not None), key=lambda alarm: alarm.step)


_NOT_FINITE = f"The loss is not a number here: the steps were too large. {_BACK}"
_FAR_AWAY = (
    "The policy has run away from its reference: what it writes now, the reference would hardly ever write. Often a "
    f"sign that it has found what the reward does not see. {_BACK}"
)
_SAME_AGAIN = (
    "The entropy has collapsed: all samples of a question are nearly the same, so there is nothing left to compare. "
    "With a high reward it is done; else start again with a smaller learning rate, a larger clip_high or a KL "
    "coefficient."
)
_GOLD_FALLS = (
    "The reward still rises while the gold score falls from its best, which was here: the reward is being fooled. "
    "Go back to the checkpoint nearest to this step, or hold the policy with a KL coefficient."
)
_HELDOUT_FALLS = (
    "The reward still rises while held-out accuracy falls from its best, which was here: what is learned now helps on "
    "the questions trained on only, or only the reward. Go back to the checkpoint nearest to this step."
)
_AT_THE_LIMIT = (
    "Many completions are cut off at the longest length, and what is cut off is never right. Raise max_new_tokens, or "
    "add a reward for brevity such as length:40."
)
_UNJUDGED = "The reward fails on most completions. Open one of them below: it says why. Then put the function right."
_NO_SIGNAL = (
    "In hardly any question do the completions differ in reward, so hardly anything is learned. If all are wrong, take "
    "easier problems or larger groups; if all are right, harder ones."
)


def _first(curve: Curve, wrong: Callable[[float], bool], lasting: int, text: str) -> Alarm | None:
    """The first step at which something has been wrong for so many points."""
    count = 0
    for step, value in zip(*curve):
        count = count + 1 if wrong(value) else 0
        if count == lasting:
            return Alarm(step, text)
    return None


def _collapse(entropy: Curve, signal: Curve) -> Alarm | None:
    """Entropy far below where it began, in a policy whose groups mostly teach nothing any more."""
    if len(entropy[1]) <= 2 * LONG:
        return None
    start, shares = mean(entropy[1][:LONG]), dict(zip(*signal))
    count = 0
    for step, value in zip(*entropy):
        count = count + 1 if value < SAME * start and shares.get(step, 1.0) < 0.5 else 0
        if count == LONG:
            return Alarm(step, _SAME_AGAIN)
    return None


def _fooled(reward: Curve, truth: Curve, text: str) -> Alarm | None:
    """The truth has fallen from its best, for its last two points, and the reward is above what it was there."""
    if len(truth[1]) < 4 or not reward[1]:
        return None
    steps, values = truth[0], _smooth(truth[1]) if len(truth[1]) > 12 else list(truth[1])
    best = max(range(len(values)), key=lambda place: values[place])
    gained = values[best] - values[0]
    fallen = all(values[best] - value > max(FALL, FALL * gained) for value in values[-2:])
    if best < len(values) - 2 and fallen and _around(reward, reward[0][-1]) > _around(reward, steps[best]):
        return Alarm(steps[best], text)
    return None


def _smooth(values: Sequence[float], width: int = 5) -> list[float]:
    """Each value with those before it."""
    return [mean(values[max(0, place - width + 1) : place + 1]) for place in range(len(values))]


def _around(curve: Curve, step: int, width: int = 5) -> float:
    """The mean of the points nearest to a step."""
    nearest = sorted(zip(*curve), key=lambda point: abs(point[0] - step))[:width]
    return mean(value for _, value in nearest)


def rl_reading(curve: Callable[[str], Curve], total_steps: int) -> str:
    """The curves of a run of reinforcement learning in one or two sentences; "" for other runs."""
    (steps, rewards), entropy = curve("reward/mean"), curve("entropy/policy")[1]
    if not steps or not entropy:
        return ""
    said = (
        f"Step {steps[-1]:,} of {total_steps:,}: mean reward {mean(rewards[-3:]):.2f} "
        f"(it began at {mean(rewards[:3]):.2f})."
    )
    accuracy, begun = curve("accuracy/heldout")[1], curve("accuracy/begun")[1]
    if len(accuracy) > 1:
        said += f" Of held-out problems {accuracy[-1]:.0%} are right, {accuracy[0]:.0%} before training"
        if len(begun) > 1:
            said += (
                f"; when the start of a worked answer is given, {begun[-1]:.0%} against {begun[0]:.0%}: "
                "the rest of the gain is that it now works its answers out"
            )
        said += "."
    if kl := curve("kl/reference")[1]:
        said += f" The policy is {kl[-1]:.1f} nats per completion away from where it started."
    return said
