"""Curves out of the table of points: which points are in view, and few of them that show all there is to see.

A resumed run repeats steps. In view is the newest attempt: its points replace those at the same step, and what an
earlier attempt had logged beyond the step where it was taken up again is taken back. (`seq` grows over all attempts of
a run, so the newest of two points is the one with the larger `seq`.)

Too many points for a plot become the smallest and the largest of each bucket of steps, with every kind of
non-finite value beside them. The database looks at all rows, so a spike of one step is always among what it gives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lab.run_state import Attempt

Read = Callable[[str, list[Any]], list[tuple[Any, ...]]]
Series = tuple[list[int], list[float]]
"""Steps, ascending, and their values."""

LAST_STEP = (1 << 63) - 1


@dataclass(frozen=True)
class Range:
    """Which points of a run to look at: bounds on step (both within), and on `seq` (the second within)."""

    low: float | None = None
    high: float | None = None
    after_seq: int | None = None
    to_seq: int | None = None
    again_from: int | None = None
    """From this step on also points that are not after `after_seq`."""

    def conditions(self) -> tuple[str, list[Any]]:
        """The bounds as SQL and its values."""
        again = LAST_STEP if self.again_from is None else self.again_from
        bounds: list[tuple[str, list[Any]]] = [
            ("step >= ?", [self.low]),
            ("step <= ?", [self.high]),
            ("(seq > ? or step >= ?)", [self.after_seq, again]),
            ("seq <= ?", [self.to_seq]),
        ]
        given = [(condition, values) for condition, values in bounds if values[0] is not None]
        return "".join(f" and {condition}" for condition, _ in given), [v for _, values in given for v in values]


@dataclass(frozen=True)
class Source:
    """The points of one run: how to ask the database, the run's number there, and its attempts."""

    read: Read
    number: int
    attempts: Mapping[int, Attempt]

    def in_view(self, names: Iterable[str] | None = None, within: Range = Range()) -> tuple[str, list[Any]]:
        """The points in view, as a SQL relation (name, step, value) and its values."""
        conditions, bounds = within.conditions()
        values = [self.number, *bounds]
        if names is not None:
            wanted = list(names)
            conditions += f" and name in ({', '.join('?' * len(wanted))})"
            values += wanted
        kept = self.not_taken_back()
        if not kept:
            return f"(select name, step, value from points where run = ?{conditions})", values
        return (
            f"""(select name, step, arg_max(value, seq) as value from points
            where run = ?{conditions}{kept} group by name, step)""",
            values,
        )

    def not_taken_back(self) -> str:
        """A SQL condition that leaves out what a resume took back; "" for a run without resumes."""
        limits, limit = [], None
        for number, attempt in sorted(self.attempts.items(), reverse=True):
            if limit is not None:
                limits.append(f"when {number} then {limit}")
            limit = attempt.first_step if limit is None else min(limit, attempt.first_step)
        return f" and step <= case attempt {' '.join(limits)} else {LAST_STEP} end" if limits else ""


def fetch(source: Source, names: list[str], within: Range, max_points: int | None) -> dict[str, Series]:
    """The curves `names` of a run; those with more than `max_points` points thinned to at most so many."""
    if not names:
        return {}
    whole = list(names)
    if max_points is not None:
        points, values = source.in_view(names, within)
        counts: dict[str, int] = dict(source.read(f"select name, count(*) from {points} group by name", values))
        whole = [name for name in names if counts.get(name, 0) <= max_points]
    found = _all_points(source, whole, within)
    for name in set(names) - set(whole):
        found[name] = _thinned(source, name, within, max_points or 2)
    return {name: found[name] for name in names}


def _all_points(source: Source, names: list[str], within: Range) -> dict[str, Series]:
    found: dict[str, Series] = {name: ([], []) for name in names}
    if names:
        points, values = source.in_view(names, within)
        for name, step, value in source.read(f"select name, step, value from {points} order by step", values):
            steps, numbers = found[name]
            steps.append(step)
            numbers.append(value)
    return found


def _thinned(source: Source, name: str, within: Range, max_points: int) -> Series:
    """At most `max_points` points: the ends, and of each bucket the smallest, the largest, the first nan, inf, -inf."""
    points, values = source.in_view([name], within)
    low, high, odd = source.read(
        f"select min(step), max(step), count(*) filter (not isfinite(value)) from {points}", values
    )[0]
    ends = source.read(f"select step, value from {points} where step in (?, ?)", [*values, low, high])
    room = max_points - len(ends)
    buckets = max(1, room // 5, (room - odd) // 2)
    rows = source.read(
        f"""select
            arg_min(step, value) filter (isfinite(value)), min(value) filter (isfinite(value)),
            arg_max(step, value) filter (isfinite(value)), max(value) filter (isfinite(value)),
            min(step) filter (isnan(value)), min(step) filter (value = 'inf'), min(step) filter (value = '-inf')
        from {points} where step <= ? group by ((step - ?) * ?) // (? - ? + 1)""",
        [*values, high, low, buckets, high, low],
    )
    kept: dict[int, float] = dict(ends)
    for at_min, smallest, at_max, largest, at_nan, at_inf, at_minus_inf in rows:
        found = {at_min: smallest, at_max: largest, at_nan: math.nan, at_inf: math.inf, at_minus_inf: -math.inf}
        kept |= {step: value for step, value in found.items() if step is not None}
    steps = sorted(kept)
    return steps, [kept[step] for step in steps]
