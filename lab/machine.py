"""What this machine has and how fast it is: measured once, in the model process, and kept in the workspace."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from lab.run_dir import write_json

FILE = "machine.json"


@dataclass(frozen=True)
class Machine:
    """Free memory in bytes; operations per second of products by the width of the matrices; bytes per second of a pass
    over memory. The rates are empty and 0 while they were not measured."""

    memory: int
    products: dict[int, float] = field(default_factory=dict)
    bytes_per_second: float = 0.0
    device: str = "cpu"

    def rate(self, width: int) -> float:
        """Operations per second of products with matrices of about this width; 0 when not measured."""
        nearest = min(self.products, key=lambda known: abs(known - width), default=None)
        return self.products[nearest] if nearest is not None else 0.0


def this_machine(folder: Path, measure: Callable[[], dict[str, Any]] | None = None) -> Machine:
    """This machine as the workspace in `folder` knows it; measured (`lab.machine_rates.rates`) where it does not yet
    and `measure` is given."""
    try:
        known = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    if known.get("of") != _which():
        known = {}
    if not known and measure is not None:
        known = {"of": _which()} | measure()
        write_json(folder / FILE, known)
    products = {int(width): float(rate) for width, rate in known.get("products", {}).items()}
    memory = known.get("memory") or free_memory()
    return Machine(memory, products, float(known.get("bytes_per_second", 0)), known.get("device", "cpu"))


def free_memory() -> int:
    """Bytes that a new process can take: what the system has free, or what is left of this container's share."""
    free = psutil.virtual_memory().available
    group = Path("/sys/fs/cgroup")
    try:
        limit, used = ((group / name).read_text().strip() for name in ("memory.max", "memory.current"))
        return free if limit == "max" else min(free, int(limit) - int(used))
    except (OSError, ValueError):
        return free


def _which() -> str:
    """What tells this machine from another that the workspace may be carried to."""
    frequency = psutil.cpu_freq()
    return f"{psutil.cpu_count()} processors, {frequency.max if frequency else 0:.0f}, {psutil.virtual_memory().total}"
