"""What somebody who watches the curves of a run should be told: flags at a step, and one sentence on how it stands."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

Curve = tuple[list[int], list[float]]
"""Steps, ascending, and values; nan and infinity included."""

WINDOW = 20
"""Points before a point that it is compared with."""
JUMP = 0.5
"""A rise of the training loss above the median of its window, in nats, that is more than the noise of batches."""
SPIKE = 10.0
"""A gradient this many times the median of its window is strange."""
RISE = 0.02
"""Held-out loss this share above its best, for the last three measurements, is rising."""


@dataclass(frozen=True)
class Alarm:
    """Something to look at, with the step where it happened."""

    step: int
    text: str


def alarms(curve: Callable[[str], Curve]) -> list[Alarm]:
    """The flags of a run, by step. `curve(name)` gives the points of a metric."""
    found = [*_not_finite(curve("loss/train")), *_jumps(curve("loss/train"))]
    found += [*_spikes(curve("grad_norm")), *_rising(curve("loss/heldout"))]
    return sorted(found, key=lambda alarm: alarm.step)


def _not_finite(curve: Curve) -> list[Alarm]:
    step = next((step for step, value in zip(*curve) if not math.isfinite(value)), None)
    if step is None:
        return []
    return [Alarm(step, "The loss is not a number here: the steps were too large. Try a smaller learning rate.")]


def _jumps(curve: Curve) -> list[Alarm]:
    return _first_outliers(
        curve,
        lambda value, usual: value > usual + JUMP and value > 1.3 * usual,
        "The loss jumped up. If it does not come back, try a smaller learning rate or a longer warm-up.",
    )


def _spikes(curve: Curve) -> list[Alarm]:
    return _first_outliers(
        curve,
        lambda value, usual: value > SPIKE * usual,
        "The gradient is over ten times its usual length: a batch the model found strange. It was cut to the limit.",
    )


def _first_outliers(curve: Curve, strange: Callable[[float, float], bool], text: str) -> list[Alarm]:
    """At most five alarms, one for each stretch of strange values."""
    steps, values = curve
    found: list[Alarm] = []
    quiet_until = 0
    for place in range(WINDOW // 2, len(values)):
        before = [value for value in values[max(0, place - WINDOW) : place] if math.isfinite(value)]
        value = values[place]
        if place >= quiet_until and before and math.isfinite(value) and strange(value, median(before)):
            found.append(Alarm(steps[place], text))
            quiet_until = place + WINDOW
    return found[:5]


def _rising(curve: Curve) -> list[Alarm]:
    points = [(value, step) for step, value in zip(*curve) if math.isfinite(value)]
    if len(points) < 4:
        return []
    best, at = min(points)
    if all(value > best * (1 + RISE) and step > at for value, step in points[-3:]):
        return [Alarm(at, "Held-out loss was lowest here and rises since: from now on the model learns by heart.")]
    return []


def reading(curve: Callable[[str], Curve], total_steps: int) -> str:
    """The curves of a run in one or two sentences: where the loss stands, what that means, and how held-out data do."""
    steps, values = curve("loss/train")
    if not steps:
        return "No step has been taken yet."
    loss = values[-1]
    if not math.isfinite(loss):
        return f"At step {steps[-1]:,} the loss is not a number any more."
    start = next((value for value in values if math.isfinite(value)), loss)
    pairs = bool(curve("margin/train")[0])
    said = (
        f"Step {steps[-1]:,} of {total_steps:,}: training loss {loss:.2f} nats per {'pair' if pairs else 'token'} (it "
        f"began at {start:.2f}), "
    )
    if pairs:
        said += f"what people preferred typically gets {_share(loss)}.{_right(curve)}"
    else:
        said += f"the right next token typically gets {_share(loss)}."
    return said + _heldout_sentence(curve("loss/heldout"))


def _right(curve: Callable[[str], Curve]) -> str:
    names = ("accuracy/heldout", "accuracy/heldout_low", "accuracy/heldout_high")
    points = [curve(name)[1] for name in names]
    if not all(points):
        return ""
    now, low, high = (100 * values[-1] for values in points)
    return f" Of pairs kept aside it gets {now:.0f} % right (95 % interval {low:.0f} to {high:.0f} %)."


def _share(loss: float) -> str:
    probability = math.exp(-loss)
    return (
        f"{100 * probability:.0f} % of the probability" if probability >= 0.01 else "less than 1 % of the probability"
    )


def _heldout_sentence(curve: Curve) -> str:
    values = [value for value in curve[1] if math.isfinite(value)]
    if len(values) < 2:
        return ""
    best = min(values)
    now = values[-1]
    if now > best * (1 + RISE):
        return f" Held-out loss is {now:.2f}, up from its best of {best:.2f}: more steps only learn by heart."
    change = "still falling" if now < values[-2] - 0.005 else "level"
    return f" Held-out loss is {now:.2f} and {change}."
