"""The four quality filters on one core, beside datatrove's: documents a second, and whether they decide the same.

    python -m tests.bench.corpus [--documents 500] [--peer /path/to/python/with/datatrove]

The documents are pages of the world's crawl before cleaning: copies, lists, spam and foreign text among them. Without
`--peer` only ours is measured. datatrove needs an environment of its own (`pip install "datatrove[processing]==0.10.1"
spacy`): its pins differ from ours.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from lab.corpus import RULES
from lab.corpus.c4 import cut_lines
from lab.corpus.quality import measure_lists, measure_quality
from lab.corpus.repetition import measure_repetition
from lab.corpus.words import Text
from lab.world import World

FILTERS = ("repetition", "quality", "c4", "fineweb")
PEER = """
import json, sys, time
from datatrove.data import Document
from datatrove.pipeline.filters import *
filters = {"repetition": GopherRepetitionFilter(), "quality": GopherQualityFilter(),
           "c4": C4QualityFilter(filter_no_terminal_punct=False), "fineweb": FineWebQualityFilter()}
texts = json.load(open(sys.argv[1]))
answers, seconds = {}, {}
for name, each in filters.items():
    each.filter(Document(text=texts[0], id="warm"))
    started, answers[name] = time.perf_counter(), []
    for text in texts:
        try:
            kept = each.filter(Document(text=text, id=""))
        except ZeroDivisionError:
            kept = "error"
        answers[name].append(kept is True)
    seconds[name] = time.perf_counter() - started
print(json.dumps({"answers": answers, "seconds": seconds}))
"""


def documents(count: int) -> list[str]:
    """Half of them pages as they are, half of about 2.5 kB: pages of one kind joined."""
    texts: list[str] = []
    waiting: dict[str, list[str]] = {}
    for page in World(0).crawl(count * 4):
        parts = waiting.setdefault(page.planted, [])
        parts += [page.text] if page.text else []
        if sum(map(len, parts)) > 1800:
            texts.append("\n".join(parts))
            parts.clear()
    half = count // 2
    single = [page.text for page in World(0).crawl(count) if page.text][:half]
    return single + texts[: count - half]


def ours(texts: list[str]) -> tuple[dict[str, list[bool]], dict[str, float]]:
    """Whether each filter keeps each text, and how long it took."""
    measures = {
        "repetition": lambda text: measure_repetition(Text(text)),
        "quality": lambda text: measure_quality(Text(text)),
        "c4": lambda text: cut_lines(text, RULES).values,
        "fineweb": lambda text: measure_lists(Text(text)),
    }
    answers, seconds = {}, {}
    for name, measure in measures.items():
        rules = [rule for rule in RULES if rule.step == name and rule.kind == "drops"]
        started = time.perf_counter()
        values = [measure(text) for text in texts]
        answers[name] = [not any(rule.fails(each[rule.name]) for rule in rules) for each in values]
        seconds[name] = time.perf_counter() - started
    return answers, seconds


def main() -> None:
    """Measure, and print a line per filter."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=500)
    parser.add_argument("--peer", default="")
    given = parser.parse_args()
    texts = documents(given.documents)
    answers, seconds = ours(texts)
    theirs: dict[str, dict[str, list]] = {"answers": {}, "seconds": {}}
    if given.peer:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "texts.json"
            path.write_text(json.dumps(texts), encoding="utf-8")
            done = subprocess.run([given.peer, "-c", PEER, str(path)], cwd=folder, capture_output=True, text=True)
            if done.returncode:
                sys.exit(done.stderr[-2000:])
            theirs = json.loads(done.stdout.splitlines()[-1])
    print(f"{len(texts)} documents of {sum(map(len, texts)) / len(texts):,.0f} characters")
    for name in FILTERS:
        line = f"{name:12} {len(texts) / seconds[name]:8.0f} documents/s, keeps {sum(answers[name])}"
        if given.peer:
            same = Counter(map(lambda a, b: a == b, answers[name], theirs["answers"][name]))
            rate = len(texts) / theirs["seconds"][name]
            line += f"; datatrove {rate:6.0f} documents/s ({theirs['seconds'][name] / seconds[name]:.1f} x)"
            line += f", the same decision on {same[True]} of {len(texts)}"
        print(line)
    total = sum(seconds.values())
    print(f"{'all four':12} {len(texts) / total:8.0f} documents/s", end="")
    print(f"; {sum(theirs['seconds'].values()) / total:.1f} x datatrove" if given.peer else "")


if __name__ == "__main__":
    main()
