"""The folder of a run: where things stand in it, and how they are written so that a kill at any moment breaks nothing.

run.json      id, algorithm, name, parent model and its folder, dataset, created, seed, versions, attempt,
              process (pid and start time), command
config.json   the frozen settings            data/*.jsonl   the frozen inputs
events.jsonl  append-only, rank 0            log.txt        output of launcher and worker
checkpoints/step-000200/                     model/         the result, as a Hugging Face folder or adapter
stop, pause   present when asked for         lock           held by the worker while it lives
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lab.config import TrainingConfig, config_from_json
from lab.errors import RunError


class RunDir:
    """Paths and small files of one run's folder. Holds nothing open."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.run_file = self.path / "run.json"
        self.config_file = self.path / "config.json"
        self.data = self.path / "data"
        self.events = self.path / "events.jsonl"
        self.log = self.path / "log.txt"
        self.checkpoints = self.path / "checkpoints"
        self.model = self.path / "model"
        self.lock = self.path / "lock"
        self._stop = self.path / "stop"
        self._pause = self.path / "pause"

    @property
    def id(self) -> str:
        """The run's id: the name of its folder."""
        return self.path.name

    @classmethod
    def create(cls, runs: Path, config: TrainingConfig, about: dict[str, Any]) -> RunDir:
        """Make the folder of a new run under `runs`, with its settings and `about` as run.json."""
        stamp = time.strftime("%Y-%m-%d_%H%M")
        run = cls(runs / f"{stamp}_{config.algorithm}_{secrets.token_hex(2)}")
        try:
            run.path.mkdir(parents=True)
            run.data.mkdir()
        except FileExistsError:
            return cls.create(runs, config, about)
        write_json(run.config_file, config.to_json())
        write_json(run.run_file, {"id": run.id, "algorithm": config.algorithm, "attempt": 1, **about})
        return run

    def about(self) -> dict[str, Any]:
        """The contents of run.json. Raises `RunError` when it is missing or broken."""
        try:
            return json.loads(self.run_file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(f"{self.run_file} cannot be read ({error}). Is {self.path} the folder of a run?") from error

    def update(self, **values: Any) -> dict[str, Any]:
        """Change some values of run.json and give all of it back."""
        about = self.about() | values
        write_json(self.run_file, about)
        return about

    def change_config(self, config: TrainingConfig, attempt: int) -> None:
        """Go on with other settings from `attempt` on; run.json keeps what was different before."""
        before, after = self.config().to_json(), config.to_json()
        changed = {name: value for name, value in before.items() if after[name] != value}
        self.update(settings_before=[*self.about().get("settings_before", []), {"until": attempt - 1} | changed])
        write_json(self.config_file, after)

    def config(self) -> TrainingConfig:
        """The frozen settings of the run."""
        values = json.loads(self.config_file.read_text(encoding="utf-8"))
        return config_from_json(self.about()["algorithm"], values)

    # --- asking the worker for something -------------------------------------------------------------------------

    @property
    def stop_requested(self) -> bool:
        """Whether somebody asked the worker to stop and keep what it has."""
        return self._stop.exists()

    @property
    def pause_requested(self) -> bool:
        """Whether somebody asked the worker to wait."""
        return self._pause.exists()

    def request_stop(self) -> None:
        """Ask the worker to stop after the current step, saving a checkpoint and the model."""
        self._stop.touch()

    def request_pause(self) -> None:
        """Ask the worker to save a checkpoint and wait."""
        self._pause.touch()

    def clear_pause(self) -> None:
        """End the pause that was asked for."""
        self._pause.unlink(missing_ok=True)

    def clear_requests(self) -> None:
        """Forget what was asked for: before going on."""
        self._stop.unlink(missing_ok=True)
        self._pause.unlink(missing_ok=True)

    # --- checkpoints ---------------------------------------------------------------------------------------------

    def checkpoint(self, step: int) -> Path:
        """Where the checkpoint of `step` is or would be."""
        return self.checkpoints / f"step-{step:06d}"

    def checkpoint_steps(self) -> list[int]:
        """Steps with a complete checkpoint, ascending (an incomplete one has another name until it is whole)."""
        if not self.checkpoints.is_dir():
            return []
        names = (re.fullmatch(r"step-(\d{6,})", folder.name) for folder in self.checkpoints.iterdir())
        return sorted(int(match[1]) for match in names if match)


def write_json(path: Path, value: Any) -> None:
    """Write JSON so that a reader, also after a crash, sees the old file or the new one and nothing between."""
    write_atomically(path, json.dumps(value, ensure_ascii=False, indent=1).encode())


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under another name, flush it to the disk, and rename it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_jsonl(path: Path, rows: Iterable[Any]) -> int:
    """Write one JSON value a line, atomically and without holding them all; gives the number of lines."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    count = 0
    try:
        with temporary.open("wb") as file:
            for row in rows:
                file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
                count += 1
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return count


def read_jsonl(path: Path) -> Iterator[Any]:
    """The values of a file written by `write_jsonl`."""
    with path.open("rb") as file:
        for line in file:
            yield json.loads(line)


def read_rows(path: Path, offset: int = 0, limit: int = 1 << 20) -> tuple[list[dict[str, Any]], int]:
    """The values of the complete lines among the next `limit` bytes after `offset` (at least one line), and the offset
    after them. A file that is not there has none; a line that was torn by a crash is passed over."""
    rows: list[dict[str, Any]] = []
    try:
        with path.open("rb") as file:
            file.seek(offset)
            while (line := file.readline()).endswith(b"\n"):
                offset += len(line)
                with contextlib.suppress(ValueError):
                    rows.append(json.loads(line))
                if (limit := limit - len(line)) <= 0:
                    break
    except FileNotFoundError:
        return [], offset
    return rows, offset
