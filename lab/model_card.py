"""The card of an exported model: what it is, what it learned from, how, and where it comes from. Nothing is made up:
what is not known of a model is not on its card."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.run_dir import RunDir

if TYPE_CHECKING:
    from lab.models import ModelInfo

HIDDEN = {"model", "dataset", "name"}
"""Settings that stand elsewhere on the card."""


def write_card(folder: Path, line: Sequence[ModelInfo], run: RunDir | None, *, merged: bool, note: str = "") -> None:
    """Write README.md into the folder of a model whose line (itself last) and run (None: none made it) are given."""
    (folder / "README.md").write_text(card(line, run, merged=merged, note=note), encoding="utf-8")


def card(line: Sequence[ModelInfo], run: RunDir | None, *, merged: bool, note: str = "") -> str:
    """The card as Markdown, with the head that the Hub reads."""
    info, base = line[-1], line[0]
    head = {"library_name": "transformers", "tags": ["nudge"]}
    if len(line) > 1 and base.kind == "hub":
        head |= {"base_model": base.reference}
    parts = [
        "---\n" + "".join(f"{key}: {json.dumps(value)}\n" for key, value in head.items()) + "---",
        f"# {_line(info.name)}",
        _about(info, merged),
        *([_line(note)] if note else []),
        "## Lineage\n\n" + " → ".join(f"{_line(each.name)} (`{_line(each.reference)}`)" for each in line),
        *(_trained(run) if run is not None else ["No run of this workspace made it."]),
    ]
    return "\n\n".join(parts) + "\n"


def _about(info: ModelInfo, merged: bool) -> str:
    kind = "answers in chats" if info.is_chat else "continues text"
    how = "whole weights" if merged else "an adapter for the model before it in the lineage"
    context = f", context of {info.context_length:,} tokens" if info.context_length else ""
    return f"{info.architecture}, {info.parameters:,} parameters{context}; it {kind}. This folder holds {how}."


def _trained(run: RunDir) -> list[str]:
    about, config = run.about(), run.config().to_json()
    rows = about.get("rows") or {}
    counted = [f"{number:,} rows {_SPLITS.get(split, split)}" for split, number in rows.items() if number]
    data = f"`{_line(config['dataset'])}`" if config.get("dataset") else "not named"
    settings = {**_flat(config), "algorithm": run.about().get("algorithm", "")}
    table = "\n".join(f"| {key} | {_line(value)} |" for key, value in sorted(settings.items()) if key not in HIDDEN)
    versions = ", ".join(f"{name} {version}" for name, version in sorted((about.get("versions") or {}).items()))
    return [
        "## Data\n\n" + data + (f": {', '.join(counted)}." if counted else "."),
        f"## Recipe\n\nRun `{run.id}`.\n\n| setting | value |\n|---|---|\n{table}",
        *([f"Made with {_line(versions)}."] if versions else []),
    ]


_SPLITS = {"train": "to learn from", "heldout": "kept aside"}


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= _flat(value, f"{before}{key}.") if isinstance(value, Mapping) else {before + key: value}
    return found


def _line(value: Any) -> str:
    """A value on one line of Markdown: what somebody wrote is not markup."""
    text = " ".join(str(value).split())
    return "".join("\\" + letter if letter in "\\`*_|<>[]#" else letter for letter in text)
