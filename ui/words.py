"""Numbers and times as the page says them: a unit, and a sensible precision."""

from __future__ import annotations

import time

_STEPS = ((1e9, "B"), (1e6, "M"), (1e3, "k"))


def short(number: float) -> str:
    """A large number in three figures: 1,234 → 1.23 k, 1,100,000 → 1.1 M."""
    for size, letter in _STEPS:
        if abs(number) >= size:
            return f"{float(f'{number / size:.3g}'):g} {letter}"
    return f"{float(f'{number:.3g}'):g}"


def count(number: int, thing: str) -> str:
    """`no runs yet`, `1 run`, `12 runs`, `1.2 M parameters`."""
    if number == 0:
        return f"no {thing}s yet"
    return f"{short(number) if number >= 10_000 else f'{number:,}'} {thing}{'' if number == 1 else 's'}"


def percent(part: float, whole: float) -> str:
    """A share as a whole percentage."""
    return f"{100 * part / whole:.0f} %" if whole else "0 %"


def size(bytes: float) -> str:
    """Room on a disk: 812 kB, 1.2 GB (powers of a thousand, as disks are sold)."""
    return f"{short(bytes).replace('B', 'GB').replace('M', 'MB').replace('k', 'kB')}" if bytes >= 1e3 else f"{bytes} B"


def duration(seconds: float | None) -> str:
    """A length of time in the one or two units that matter: 8 s, 3 min 20 s, 2 h 5 min."""
    if seconds is None:
        return ""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 600 and whole % 60:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 3600:
        return f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def about(seconds: float) -> str:
    """An estimate of a length of time, no more exact than it is: about 20 s, about 2 min."""
    for limit, unit in ((60, 5), (300, 30), (3600, 60)):
        if seconds < limit:
            return f"about {duration(max(unit, round(seconds / unit) * unit))}"
    return f"about {duration(round(seconds / 600) * 600)}"


def ago(moment: float, now: float | None = None) -> str:
    """How long ago: `just now`, `5 min ago`, `3 days ago`."""
    seconds = (time.time() if now is None else now) - moment
    if seconds < 60:
        return "just now"
    for size, word in ((86400, "day"), (3600, "hour"), (60, "min")):
        if seconds >= size:
            number = int(seconds // size)
            return f"{number} {word}{'s' if number > 1 and word != 'min' else ''} ago"
    return "just now"
