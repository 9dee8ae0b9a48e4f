"""What the long tests found, written by them into `results.json` beside this file and committed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

RESULTS = Path(__file__).parent / "results.json"


def record(what: str, rounds: int, failures: int) -> None:
    """Note the result of a long test in place of its earlier one: what was done, how often, how often it failed, and
    on which commit."""
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=RESULTS.parent, capture_output=True, text=True)
    found = {"what": what, "rounds": rounds, "failures": failures, "commit": done.stdout.strip()}
    kept = [each for each in known if each["what"] != what]
    RESULTS.write_text(json.dumps(sorted([*kept, found], key=lambda each: each["what"]), indent=1) + "\n")
