"""The card of a bundled model: what it is, how it came to be, what it can do, in figures with their intervals.

    python -m lab.world.card assets/models/base figures.json --head head.md

`figures.json` is what `lab.world.measure` wrote; the head is written by hand.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def card(head: str, figures: dict[str, Any]) -> str:
    """The text of README.md: the head, then every figure."""
    parts = [head.rstrip(), "## What it can do", probe_table(figures["probes"]), "## Bits per byte", bits(figures)]
    parts += ["## Memorization", memorized(figures["memorization"])]
    return "\n\n".join(parts) + "\n"


def probe_table(probes: list[dict[str, Any]]) -> str:
    """The probes with n and the 95 % interval (Wilson)."""
    lines = ["| probe | right | 95 % interval | n | what is asked |", "|---|---|---|---|---|"]
    for probe in probes:
        share = f"{probe['right'] / probe['n']:.1%}"
        interval = f"{probe['low']:.1%} – {probe['high']:.1%}"
        lines.append(f"| {probe['name']} | {share} | {interval} | {probe['n']} | {probe['meaning']} |")
    return "\n".join(lines)


def bits(figures: dict[str, Any]) -> str:
    """Bits per byte of held-out pages: overall, beside xz where that was measured, and by family."""
    said = f"Held-out pages of the first mix: {figures['bits_per_byte']:.3f}."
    if xz := figures.get("xz_bits_per_byte"):
        share = figures["bits_per_byte"] / xz
        said += f" xz -9e after the last 8 MB of the training text needs {xz:.3f}: a share of {share:.2f}."
    families = ", ".join(f"{family} {value:.2f}" for family, value in figures["by_family"].items())
    return f"{said}\n\nBy family: {families}."


def memorized(counts: dict[str, float]) -> str:
    """How many words of a senseless page are continued verbatim, by how often it was read."""
    lines = ["| times on the pages of a stage | words continued verbatim, of 24 |", "|---|---|"]
    return "\n".join(lines + [f"| {repeats} | {words:.1f} |" for repeats, words in counts.items()])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("figures", type=Path)
    parser.add_argument("--head", type=Path, required=True)
    arguments = parser.parse_args()
    figures = json.loads(arguments.figures.read_text(encoding="utf-8"))
    text = card(arguments.head.read_text(encoding="utf-8"), figures)
    (arguments.folder / "README.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
