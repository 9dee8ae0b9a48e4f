"""What the benchmarks found, kept in results.json beside this file with the machine, the versions and the commit."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("results.json")
ROOT = FILE.parent.parent.parent


def write_rows(rows: list[dict[str, Any]]) -> None:
    """Put rows into the file; one of the same work, shape and peer is replaced."""
    old = json.loads(FILE.read_text()).get("rows", []) if FILE.is_file() else []
    names = {_name(row) for row in rows}
    kept = [row for row in old if _name(row) not in names]
    content = {"machine": machine(), "versions": versions(), "commit": commit(), "rows": kept + rows}
    FILE.write_text(json.dumps(content, indent=1) + "\n")


def _name(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["work"], row["shape"], row["peer"]


def machine() -> str:
    """The processor and how many of it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    name = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor()
    )
    return f"{name}, {os.cpu_count()} cores, {platform.system()}"


def versions() -> dict[str, str]:
    """What the numbers depend on."""
    return {name: metadata.version(name) for name in ("torch", "transformers", "trl", "peft", "accelerate")}


def commit() -> str:
    """The commit that was measured."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()
