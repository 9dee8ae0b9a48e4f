"""What the benchmarks found, kept in results.json beside this file with the machine, the versions and the commit.

python -m tests.bench.results      puts the table into README.md
"""

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


# --- the table in README.md ---

README = ROOT / "README.md"
BEGIN, END = "<!-- bench -->", "<!-- /bench -->"


def table() -> str:
    """The rows as a table in Markdown, with machine and versions under it."""
    content = json.loads(FILE.read_text())
    lines = ["| work | shape | beside | ratio | share of GEMM |", "|---|---|---|---|---|"]
    for row in sorted(content["rows"], key=_name):
        share = f"{row['share_of_gemm']:.0%}" if row.get("share_of_gemm") else ""
        lines.append(f"| {row['work']} | {row['shape']} | {row['peer']} | {row['ratio']:.2f} × | {share} |")
    versions = ", ".join(f"{name} {version}" for name, version in content["versions"].items())
    return "\n".join([*lines, "", f"{content['machine']}; {versions}."])


def in_readme() -> str:
    """The table that README.md has now."""
    return README.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].strip()


def main() -> None:
    """Put the table into README.md."""
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    README.write_text(f"{before}{BEGIN}\n{table()}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
