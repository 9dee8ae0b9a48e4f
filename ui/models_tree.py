"""What the Models page shows: the models as a tree of what was made from what, and what one of them is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ui.widgets.base import Value, packed
from ui.words import count, percent, short, size

if TYPE_CHECKING:
    from lab.model_parts import Part
    from lab.models import ModelInfo
    from ui.page import Page

KINDS = {
    "bundled": "comes with Nudge",
    "run": "made here",
    "checkpoint": "checkpoint",
    "folder": "folder",
    "hub": "Hugging Face Hub",
}


def tree_value(page: Page, models: Sequence[ModelInfo], chosen: str) -> Value:
    """The models under what each was made from; checkpoints under the result of their run, apart from the others."""
    known = {info.reference for info in models}
    children: dict[str, list[ModelInfo]] = {}
    for info in models:
        children.setdefault(_above(info, known), []).append(info)

    def node(info: ModelInfo) -> dict[str, Any]:
        below = children.get(info.reference, [])
        return {
            "reference": info.reference,
            "name": info.name,
            "about": f"{KINDS[info.kind]}, {count(info.parameters, 'parameter')}",
            "colour": page.colour(info.reference),
            "chosen": info.reference == chosen,
            "children": [node(each) for each in below if each.kind != "checkpoint"],
            "checkpoints": [node(each) for each in below if each.kind == "checkpoint"],
        }

    return packed({"models": [node(info) for info in children.get("", [])]})


def _above(info: ModelInfo, known: set[str]) -> str:
    """What a model hangs under: a checkpoint under the result of its run, everything else under its parent."""
    result = info.reference.partition("@")[0]
    if info.kind == "checkpoint" and result in known:
        return result
    return info.parent if info.parent in known and info.parent != info.reference else ""


def parts_value(info: ModelInfo, parts: Sequence[Part], layers: int, bytes: int, needed: Sequence[str]) -> Value:
    """The figures of one model, its parameters by part, and who needs it."""
    whole = sum(part.parameters for part in parts)
    facts = [
        ["Reference", info.reference],
        ["Kind", info.architecture or "unknown"],
        ["Parameters", f"{info.parameters:,}"],
        ["Numbers", info.dtype or "unknown"],
        ["Layers", str(layers or "–")],
        ["Context", f"{info.context_length:,} tokens" if info.context_length else "not said"],
        ["Vocabulary", f"{info.vocab_size:,} tokens" if info.vocab_size else "not said"],
        ["On the disk", size(bytes)],
        ["Folder", str(info.folder)],
    ]
    bars = [
        {
            "name": part.name,
            "share": part.parameters / whole if whole else 0,
            "label": f"{short(part.parameters)} ({percent(part.parameters, whole)})",
        }
        for part in parts
    ]
    note = f"Needed by {', '.join(needed)}: it cannot be deleted while they are there." if needed else ""
    return packed({"name": info.name, "facts": facts, "bars": bars, "note": note})
