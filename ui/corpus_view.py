"""What the Data tab shows of a cleaning: JSON values made of the engine's objects, without Gradio."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lab.corpus import PRESETS, Result, Rules
from lab.corpus.cleaning import CleanDocument
from lab.corpus.near_duplicates import shingles, similarity
from lab.corpus.rules import MOVABLE, STEPS
from lab.errors import ConfigError

BARS = 40
PAGE = 20
LONGEST = 20_000
"""Characters of a text that are shown."""


def rules_of(chosen: Mapping[str, Any]) -> Rules:
    """The rules that the page describes: `preset`, `order` (movable steps), `thresholds`. Raises `ConfigError`."""
    rules = PRESETS.get(str(chosen.get("preset") or "code"))
    if rules is None:
        raise ConfigError(f"There is no order {chosen.get('preset')!r}.")
    order = [step for step in chosen.get("order") or [] if step in MOVABLE]
    if order:
        late = rules.order.index("extract") < rules.order.index("url")
        rules = rules.in_order(["extract", *order] if late else order)
    thresholds = chosen.get("thresholds") or {}
    return rules.with_thresholds(**{name: float(value) for name, value in thresholds.items()}) if thresholds else rules


def funnel_data(result: Result) -> list[dict[str, Any]]:
    """The bands: `funnel`'s rows with the step's name and whether it can be moved."""
    return [band | {"name": STEPS[band["step"]], "movable": band["step"] in MOVABLE} for band in result.funnel]


def histogram_data(result: Result, name: str) -> dict[str, Any]:
    """The values of a rule over all documents: bars between `low` and `high`, how many fail, and the rule itself."""
    rule = result.rules[name]
    place = result.decision.names.index(name)
    values = result.decision.values[:, place]
    known = values[~np.isnan(values)]
    edge = float(rule.threshold)
    top = float(np.quantile(known, 0.995)) if len(known) else 1.0
    low, high = min(0.0, float(known.min()) if len(known) else 0.0), max(top, edge) * 1.05 or 1.0
    if rule.when[0] == ">" and edge > 20 * top > 0:
        high = top * 2  # a limit that nothing comes near would press all bars into one
    counts, edges = np.histogram(np.clip(known, low, high), bins=BARS, range=(low, high))
    return {
        "rule": name,
        "says": rule.says,
        "when": rule.when,
        "threshold": edge,
        "unit": rule.unit,
        "source": rule.source,
        "note": rule.note,
        "low": low,
        "high": high,
        "counts": counts.tolist(),
        "edges": [round(float(each), 6) for each in edges],
        "measured": len(known),
        "fails": int(result.decision.fails[:, place].sum()),
        "blamed": int((result.decision.blamed == place).sum()),
    }


def draggable(rules: Rules) -> list[dict[str, str]]:
    """The rules whose threshold is a handle on a histogram."""
    without = ("unreadable", "near_duplicate")
    chosen = [rule for rule in rules if rule.kind == "drops" and rule.name not in without]
    return [{"rule": rule.name, "says": rule.says, "step": STEPS[rule.step]} for rule in chosen]


def documents_data(result: Result, step: str, start: int = 0) -> dict[str, Any]:
    """The documents that a step dropped (those that stay for `kept`), a page of them from `start` on."""
    step_of = {rule.name: rule.step for rule in result.rules}
    if step == "kept":
        numbers = result.kept.numbers
    else:
        own = [place for place, name in enumerate(result.decision.names) if step_of[name] == step]
        numbers = np.flatnonzero(np.isin(result.decision.blamed, own))
    start = max(0, min(int(start), max(0, len(numbers) - 1)))
    rows = [_row(result, int(number)) for number in numbers[start : start + PAGE]]
    return {
        "step": step,
        "name": STEPS.get(step, "Documents that stay"),
        "total": len(numbers),
        "start": start,
        "page": PAGE,
        "rows": rows,
    }


def _row(result: Result, number: int) -> dict[str, Any]:
    document = result.document(number)
    row: dict[str, Any] = {"number": number, "id": document.id, "text": document.text[:160]}
    if not isinstance(document, CleanDocument):
        rule = result.rules[document.reason]
        value = document.measurements.get(document.reason)
        row |= {
            "reason": document.reason,
            "says": rule.says,
            "value": value,
            "when": rule.when,
            "threshold": rule.threshold,
        }
    return row


def document_data(result: Result, number: int) -> dict[str, Any]:
    """Everything about one document: verdict, passport, HTML and text, lines cut, redactions, the copy it is of."""
    if not 0 <= number < len(result):
        raise ConfigError("There is no such document.")
    row, document = result.pages[number], result.document(number)
    kept, shown = isinstance(document, CleanDocument), row["text"][:LONGEST]
    value: dict[str, Any] = {
        "number": number,
        "id": row["id"],
        "url": row["url"],
        "kept": kept,
        "reason": "" if isinstance(document, CleanDocument) else document.reason,
        "problem": row["problem"],
        "passport": result.passport(number),
        "languages": row["languages"],
        "address": sorted({word for words in row["address"].values() for word in words}),
        "lines": [[line, row["cut"].get(str(place), "")] for place, line in enumerate(shown.splitlines())],
        "html": lit(row["html"], row["text"]) if row["html"] else [],
    }
    if isinstance(document, CleanDocument):
        value["redacted"] = redacted(document)
    like = int(result.decision.like[number])
    if like != number:
        value["copy"] = copy_data(result, number, like)
    return value


def lit(source: str, text: str) -> list[list[Any]]:
    """HTML in pieces [text, whether it was kept], by finding each line of the extracted text in it."""
    source = source[:LONGEST]
    spans, place = [], 0
    for line in text.splitlines():
        for form in (html.escape(line), html.escape(line, quote=False), line):
            found = source.find(form, place) if form else -1
            if found >= 0:
                spans.append((found, found + len(form)))
                place = found + len(form)
                break
    pieces: list[list[Any]] = []
    done = 0
    for start, end in spans:
        pieces += [[source[done:start], False], [source[start:end], True]]
        done = end
    return [piece for piece in [*pieces, [source[done:], False]] if piece[0]]


def redacted(document: CleanDocument) -> list[list[str]]:
    """The text that stays in pieces [text, what stood there before], with "" where nothing was changed."""
    pieces, done = [], 0
    for start, end, was, _ in document.redactions:
        pieces += [[document.text[done:start], ""], [document.text[start:end], was]]
        done = end
    return [piece for piece in [*pieces, [document.text[done:], ""]] if piece[0]]


def copy_data(result: Result, number: int, like: int) -> dict[str, Any]:
    """Two near-duplicates: how similar, which buckets they share, and both texts with the shared runs of words lit."""
    first, second = result.pages[like], result.pages[number]
    both = [shingles(page["text"]) for page in (first, second)]
    same = (result.buckets[number, 0] == result.buckets[like, 0]).tolist()
    shared = both[0] & both[1]
    return {
        "id": first["id"],
        "number": like,
        "similarity": round(similarity(*both), 3),
        "buckets": same,
        "texts": [shared_runs(page["text"][:LONGEST], shared) for page in (first, second)],
    }


def shared_runs(text: str, shared: set[str]) -> list[list[Any]]:
    """A text in pieces [text, whether it is part of a run of five words that the other text has too]."""
    words = text.split(" ")
    inside = [False] * len(words)
    for start in range(len(words) - 4):
        if shingles(" ".join(words[start : start + 5])) & shared:
            inside[start : start + 5] = [True] * 5
    pieces: list[list[Any]] = []
    for word, known in zip(words, inside):
        if pieces and pieces[-1][1] == known:
            pieces[-1][0] += f" {word}"
        else:
            pieces.append([word if not pieces else f" {word}", known])
    return pieces


def order_of(steps: Sequence[str]) -> list[str]:
    """The movable ones among the steps."""
    return [step for step in steps if step in MOVABLE]
