"""A comparison as one page to keep: HTML that needs nothing else, runs nothing and fetches nothing."""

from __future__ import annotations

import math
import time
from html import escape

from lab.comparison import Answer, Comparison, Question, Shift, ShiftedToken

_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ max-width: 64rem; margin: 2rem auto; padding: 0 1rem; background: #fbfaf7; color: #1b1b1f; }}
body {{ font: 16px/1.5 system-ui, sans-serif; }}
h1 {{ font-size: 1.5rem; font-weight: 500; }}
h2 {{ margin-top: 2rem; padding-top: .75rem; border-top: 1px solid #918e87; font-size: 1rem; }}
.text {{ white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: isolate; }}
.soft {{ color: #5d5e66; font-size: .85rem; }}
.answers {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); gap: 1rem 2rem; }}
table {{ border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }}
td, th {{ padding: .1rem .75rem .1rem 0; border-bottom: 1px solid #e2dfd7; text-align: right; }}
td:first-child, th:first-child {{ text-align: left; font-family: monospace; white-space: pre; }}
</style></head><body>
"""


def page(comparison: Comparison) -> str:
    """The page. Every text of a person or a model in it is escaped."""
    settings = comparison.sampling
    asked = "as a chat" if comparison.chat else "as raw text to go on from"
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(comparison.created))
    models = ", ".join(f"{name} ({reference})" for reference, name in comparison.models)
    about = (
        f"{when}. Models: {models}. Asked {asked}, temperature {settings.temperature:g}, top-k {settings.top_k}, "
        f"top-p {settings.top_p:g}, min-p {settings.min_p:g}, at most {settings.max_new_tokens} tokens, "
        f"seed {settings.seed}."
    )
    parts = [
        _HEAD.format(title=escape(comparison.title)),
        f"<h1>Comparison</h1><p class='soft'>{escape(about)}</p>",
        *(_question(comparison, question) for question in comparison.questions),
        "</body></html>\n",
    ]
    return "\n".join(parts)


def _question(comparison: Comparison, question: Question) -> str:
    answers = "".join(_answer(comparison, answer) for answer in question.answers)
    shift = _shift(comparison, question.shift) if question.shift else ""
    return f"<h2 class='text'>{escape(question.prompt)}</h2><div class='answers'>{answers}</div>{shift}"


def _answer(comparison: Comparison, answer: Answer) -> str:
    name = escape(comparison.name(answer.model))
    note = f"{len(answer.tokens)} tokens, ended by: {escape(answer.finish)}"
    return f"<div><p class='soft'>{name}</p><p class='text'>{escape(answer.text)}</p><p class='soft'>{note}</p></div>"


def _shift(comparison: Comparison, shift: Shift) -> str:
    base, tuned = comparison.name(shift.base), comparison.name(shift.tuned)
    head = "".join(f"<th>{escape(name)}</th>" for name in ("token", base, tuned, "shift, nats"))
    rows = "".join(_row(token) for token in shift.tokens)
    return (
        f"<h3>What training changed about {escape(tuned)}’s answer</h3><p>{escape(shift.sentence(base, tuned))}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _row(token: ShiftedToken) -> str:
    strength = round(55 * min(1.0, abs(token.shift) / 3))
    colour = "0, 114, 178" if token.shift < 0 else "213, 94, 0"
    style = f"background: rgba({colour}, {strength / 100:.2f})"
    shown = escape(token.text.replace("\n", "⏎").replace("\t", "→").replace(" ", "·"))
    numbers = f"<td>{_percent(token.base)}</td><td>{_percent(token.tuned)}</td>"
    return f"<tr><td>{shown}</td>{numbers}<td style='{style}'>{token.shift:+.2f}</td></tr>"


def _percent(logprob: float) -> str:
    return f"{100 * math.exp(logprob):.2f} %"
