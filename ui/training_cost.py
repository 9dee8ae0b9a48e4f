"""What a training costs, as the page says it: operations, time on this machine, hours of a rented GPU, money."""

from __future__ import annotations

from collections.abc import Mapping

from lab.pretrain_forecast import EXAMPLES, gpu_hours, operations
from ui.tables import table_value
from ui.widgets.base import Value
from ui.words import about, duration, short

COLUMNS = ("Trained", "Parameters N", "Tokens D", "6·N·D", "On this machine", "H100 hours", "Price", "Said to cost")


def cost_value(
    name: str, parameters: float, tokens: float, seconds: float | None, rate: float | None, price: float
) -> Value:
    """The table of costs: this run and examples of others.

    Args:
        name: what this run is called.
        parameters: N.
        tokens: D.
        seconds: how long this run takes on this machine, from its first step to its last; None while not known.
        rate: operations per second that this machine reaches in training; None while not known.
        price: of one hour of one H100.
    """
    here = about(seconds) if seconds is not None else "being measured"
    rows = [_row(name, parameters, tokens, here, price, "")]
    for each in EXAMPLES:
        here = length(operations(each.parameters, each.tokens) / rate) if rate else ""
        rows.append(_row(each.name, each.parameters, each.tokens, here, price, each.said))
    note = "H100 hours: 6·N·D at 40 % (assumed) of the 989 · 10¹² operations per second that NVIDIA states."
    if rate:
        note = f"This machine was measured at {rate / 1e9:.3g} · 10⁹ operations per second in training. {note}"
    return table_value(COLUMNS, rows, note)


def _row(name: str, size: float, amount: float, here: str, price: float, said: str) -> list[str]:
    work = operations(size, amount)
    hours = gpu_hours(work)
    return [
        name,
        short(size),
        short(amount),
        power(work),
        here,
        figure(hours),
        money(hours * price),
        said,
    ]


def forecast(steps: int, tokens: float, seconds: float | None, speed: Mapping[str, float] | None) -> str:
    """One sentence on what a run will take."""
    what = f"{steps:,} steps, {short(tokens)} tokens"
    if seconds is None or speed is None:
        return f"{what}; how long it takes is being measured …"
    return f"{what}: {about(seconds)} at {short(speed['tokens_per_second'])} tokens/s, as just measured here."


def length(seconds: float) -> str:
    """A length of time, in days or years where it comes to that."""
    days = seconds / 86400
    if days <= 2:
        return duration(seconds)
    return f"{short(days / 365.25)} years" if days >= 365.25 else f"{short(days)} days"


def power(number: float) -> str:
    """A large number as 3.1 · 10¹²."""
    digits, exponent = f"{number:.1e}".split("e")
    return f"{digits} · 10{str(int(exponent)).translate(_RAISED)}"


_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def figure(hours: float) -> str:
    """Hours in two or three figures."""
    if hours >= 1e6:
        return short(hours)
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.2g}" if hours >= 0.01 else "< 0.01"


def money(amount: float) -> str:
    """An amount in the currency of the price that was typed."""
    if amount >= 1e6:
        return short(amount)
    return f"{float(f'{amount:.3g}'):,.0f}" if amount >= 10 else f"{amount:.2f}" if amount >= 0.01 else "< 0.01"
