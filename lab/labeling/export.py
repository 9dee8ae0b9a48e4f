"""Votes as training data: preference rows, KTO rows, demonstrations, with a manifest that accounts for every pair."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from lab.arena.votes import Outcome
from lab.config import Config
from lab.errors import ConfigError, DataError
from lab.labeling.balance import balanced
from lab.labeling.chance import keyed
from lab.labeling.desk import Project
from lab.labeling.people import self_agreement
from lab.labeling.project import Answer, Item, StoredVote
from lab.run_dir import write_json, write_jsonl

FORMATS = ("trl", "kto", "sft")


@dataclass(frozen=True, kw_only=True)
class ExportConfig(Config):
    """Which labels are exported."""

    ties: Literal["drop", "keep"] = "drop"
    """Drop pairs that people call equally good, or keep them (in KTO as two good answers; in TRL rows a tie says
    nothing, so they are dropped there)."""
    min_agreement: float = 0.5
    """Share of the people who saw a pair that must agree. 1 keeps only what nobody disputes."""
    min_self_consistency: float = 0.0
    """Leave out people who gave fewer of their repeated pairs the same answer. 0 leaves out nobody."""
    flagged: Literal["drop", "keep"] = "drop"
    """Drop pairs that somebody flagged, or keep them."""
    much_better_only: bool = False
    """Only pairs in which one answer was called much better."""
    length_balanced: bool = False
    """Leave out pairs until the better answer is as often the longer one as the shorter, by as much."""
    conversational: Literal["auto", "yes", "no"] = "auto"
    """Prompts and answers as lists of messages, or as texts. Auto takes messages when a prompt has several."""
    seed: int = 0
    """Fixes the order of the rows and which pairs a balance leaves out."""


@dataclass(frozen=True)
class Label:
    """What people together say of two answers: the better one first. `votes` are the ids of their votes."""

    item: Item
    better: Answer
    worse: Answer
    outcome: Outcome
    agreement: float
    votes: tuple[str, ...]

    @property
    def longer_by(self) -> float:
        """Logarithm of how much longer the better answer is."""
        return math.log((len(self.better.text) + 1) / (len(self.worse.text) + 1))


@dataclass
class Manifest:
    """What an export holds and what it leaves out."""

    project: str
    format: str
    path: str
    rows: int = 0
    kept: int = 0
    """Pairs that are in the file."""
    dropped: dict[str, int] = field(default_factory=dict)
    """Pairs that are not, by reason."""
    filters: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    journal_sha256: str = ""
    """Hash of the journal the votes come from."""
    file_sha256: str = ""
    created: float = 0.0
    votes: list[list[str]] = field(default_factory=list)
    """For every row of the file the ids of the votes it stands on."""

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @property
    def sentence(self) -> str:
        """The manifest in words."""
        left_out = ", ".join(f"{count:,} {reason}" for reason, count in self.dropped.items())
        return f"{self.rows:,} rows from {self.kept:,} pairs." + (f" Left out: {left_out}." if left_out else "")


def export(project: Project, path: Path, format: str, config: ExportConfig) -> Manifest:
    """Write the labels of a project to `path` and the manifest beside it, as `<path>.manifest.json`.

    Raises `ConfigError` for an unknown format or file type, and `DataError` when there is nothing to write.
    """
    if format not in FORMATS:
        raise ConfigError(f"{format!r} is not a format for labels; it is one of {', '.join(FORMATS)}.", "format")
    if path.suffix not in WRITERS:
        raise ConfigError(
            f"Labels go to {', '.join(WRITERS)} files, not {path.suffix or 'one without suffix'}.", "path"
        )
    with project.lock:
        labels, dropped = chosen_labels(project, config) if format != "sft" else ([], Counter())
        rows = _demonstrations(project) if format == "sft" else _rows(labels, format, config, dropped)
        journal = project.folder.journal_file
        digest = hashlib.sha256(journal.read_bytes() if journal.exists() else b"").hexdigest()
    manifest = Manifest(
        project=project.name,
        format=format,
        path=path.name,
        kept=len({votes for votes, _ in rows}),
        dropped={reason: count for reason, count in sorted(dropped.items()) if count},
        filters=config.to_json(),
        seed=config.seed,
        journal_sha256=digest,
        created=time.time(),
    )
    if not rows:
        raise DataError(f"There is nothing to export from {project.name!r} yet. {manifest.sentence}")
    rows.sort(key=lambda row: keyed(str(config.seed), "row", *row[0], json.dumps(row[1], sort_keys=True)))
    WRITERS[path.suffix](path, [row for _, row in rows])
    manifest.rows, manifest.votes = len(rows), [list(votes) for votes, _ in rows]
    manifest.file_sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    write_json(path.with_name(path.name + ".manifest.json"), manifest.to_json())
    return manifest


# --- which labels ---------------------------------------------------------------------------------------------------


def chosen_labels(project: Project, config: ExportConfig) -> tuple[list[Label], Counter[str]]:
    """The labels that pass the filters, and how many pairs do not, by reason."""
    state, dropped = project.state, Counter[str]()
    trusted, by_item = _trusted(project, config), defaultdict(list)
    for vote in state.counting_votes():
        if vote.showing.kind == "first":
            by_item[vote.showing.item].append(vote)
    labels: list[Label] = []
    for item in state.items.values():
        votes = by_item.get(item.id, [])
        reason = _refusal(item, votes, trusted, config)
        if reason:
            dropped[reason] += 1
            continue
        for made in _labels(item, [vote for vote in votes if vote.annotator in trusted and vote.choice != "skip"]):
            reason = _label_refusal(made, config)
            dropped[reason] += 1 if reason else 0
            if not reason:
                labels.append(made)
    if config.length_balanced:
        kept = balanced(labels, config.seed)
        dropped["for the balance of lengths"] += len(labels) - len(kept)
        labels = kept
    return labels, dropped


def _trusted(project: Project, config: ExportConfig) -> set[str]:
    people = set(project.state.people)
    if config.min_self_consistency <= 0:
        return people
    shares = {name: self_agreement(project.state, name) for name in people}
    return {name for name, share in shares.items() if share.n == 0 or share.rate >= config.min_self_consistency}


def _refusal(item: Item, votes: list[StoredVote], trusted: set[str], config: ExportConfig) -> str:
    """Why a whole item is left out; empty when it is not."""
    if item.is_same:
        return "with the same answer twice"
    if not votes:
        return "not voted on"
    if config.flagged == "drop" and any(vote.remarks.flag for vote in votes):
        return "flagged"
    said = [vote for vote in votes if vote.choice != "skip"]
    if not said:
        return "skipped"
    if not any(vote.annotator in trusted for vote in said):
        return "by people who disagree with themselves"
    strong = any(vote.remarks.strength == 2 for vote in said)
    return "not much better" if config.much_better_only and not strong else ""


def _labels(item: Item, votes: list[StoredVote]) -> list[Label]:
    """What the votes together say of every two answers of an item."""
    outcomes: dict[tuple[int, int], list[str]] = defaultdict(list)
    pairs = list(combinations(range(len(item.answers)), 2))
    for vote in votes:
        for pair, made in zip(pairs, vote.votes(item), strict=False):
            outcomes[pair].append(made.outcome)
    ids = tuple(vote.id for vote in votes)
    labels = []
    for (i, j), said in outcomes.items():
        outcome, count = Counter(sorted(said)).most_common(1)[0]
        better, worse = (item.answers[i], item.answers[j])[:: -1 if outcome == "b" else 1]
        labels.append(Label(item, better, worse, outcome, count / len(said), ids))  # type: ignore[arg-type]
    return labels


def _label_refusal(label: Label, config: ExportConfig) -> str:
    tied = label.agreement == 0.5 and len(label.votes) > 1
    if tied or label.agreement < config.min_agreement:
        return "that people disagree about"
    return "that are equally good" if label.outcome == "tie" and config.ties == "drop" else ""


# --- as rows --------------------------------------------------------------------------------------------------------

Rows = list[tuple[tuple[str, ...], dict[str, Any]]]
"""(ids of the votes, row)."""


def _rows(labels: list[Label], format: str, config: ExportConfig, dropped: Counter[str]) -> Rows:
    several = any(len(label.item.prompt) > 1 for label in labels)
    talk = config.conversational == "yes" or (config.conversational == "auto" and several)
    if format == "kto":
        return _kto(labels, talk)
    rows: Rows = []
    for label in labels:
        if label.outcome in ("a", "b"):
            better, worse = _reply(label.better, talk), _reply(label.worse, talk)
            rows.append((label.votes, {"prompt": _prompt(label.item, talk), "chosen": better, "rejected": worse}))
        else:
            dropped["that are equally good" if label.outcome == "tie" else "both bad"] += 1
    return rows


def _kto(labels: list[Label], talk: bool) -> Rows:
    """One row per answer: better ones good, worse ones bad; both bad gives two bad ones, a tie two good ones."""
    rows: Rows = []
    seen: set[str] = set()
    for label in labels:
        good = {"a": (True, False), "b": (True, False), "tie": (True, True), "both_bad": (False, False)}[label.outcome]
        for answer, is_good in zip((label.better, label.worse), good, strict=True):
            row = {"prompt": _prompt(label.item, talk), "completion": _reply(answer, talk), "label": is_good}
            key = json.dumps(row, sort_keys=True)
            if key not in seen:
                seen.add(key)
                rows.append((label.votes, row))
    return rows


def _demonstrations(project: Project) -> Rows:
    return [
        ((made.id,), {"messages": [*made.prompt, {"role": "assistant", "content": made.reply}]})
        for made in project.state.demonstrations.values()
    ]


def _prompt(item: Item, talk: bool) -> Any:
    return [dict(message) for message in item.prompt] if talk else item.prompt_text


def _reply(answer: Answer, talk: bool) -> Any:
    return [{"role": "assistant", "content": answer.text}] if talk else answer.text


# --- into files -----------------------------------------------------------------------------------------------------


def _write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    write_jsonl(path, rows)


def _write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def _write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    """Lists of messages become JSON text."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        for row in rows:
            told = {key: json.dumps(value, ensure_ascii=False) for key, value in row.items() if isinstance(value, list)}
            writer.writerow(row | told)


WRITERS: dict[str, Any] = {".jsonl": _write_jsonl, ".parquet": _write_parquet, ".csv": _write_csv}
"""By the ending of the file's name."""
