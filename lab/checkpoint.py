"""Checkpoints from which a run goes on exactly: what is saved, how it is read back.

    step-000200/model/     the model as a folder of its own, usable like any other
    step-000200/state/     optimizers.safetensors, trained.safetensors and progress.json; of the last two only

No random state is kept: every chance in a run is a function of its seed and the step. A checkpoint is written under
another name and renamed when it is whole.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lab.errors import RunError
from lab.run_dir import RunDir, write_json


@dataclass
class Progress:
    """How far a run is: steps done, tokens read, and numbers that a page carries from one step to the next."""

    step: int = 0
    tokens: int = 0
    carried: dict[str, float] = field(default_factory=dict)


class Checkpoints:
    """The checkpoints of one run. `save_model` writes a model into a folder; without a run nothing is kept."""

    def __init__(self, run: RunDir | None, save_model: Callable[[nn.Module, Path], None], resume: bool = False) -> None:
        self._run = run
        self.save_model = save_model
        self._resume = resume

    def save(self, progress: Progress, model: nn.Module, optimizers: Sequence[torch.optim.Optimizer]) -> str:
        """Write a checkpoint unless this step has one; gives its folder relative to the run ("" when not kept)."""
        if self._run is None:
            return ""
        folder = self._run.checkpoint(progress.step)
        if not folder.is_dir():
            self._write(folder, progress, model, optimizers)
            for step in self._run.checkpoint_steps()[:-2]:
                shutil.rmtree(self._run.checkpoint(step) / "state", ignore_errors=True)
        return folder.relative_to(self._run.path).as_posix()

    def _write(
        self, folder: Path, progress: Progress, model: nn.Module, optimizers: Sequence[torch.optim.Optimizer]
    ) -> None:
        unfinished = folder.with_name(f".{folder.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        state = unfinished / "state"
        state.mkdir(parents=True)
        try:
            self.save_model(model, unfinished / "model")
            save_file(_trained(model), state / "trained.safetensors")
            tensors, numbers = _flatten(optimizers)
            save_file(tensors, state / "optimizers.safetensors")
            about = {"progress": asdict(progress), "optimizers": numbers, "threads": torch.get_num_threads()}
            write_json(state / "progress.json", about)
            _flush(unfinished)
            unfinished.replace(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def restore(self, model: nn.Module, optimizers: Sequence[torch.optim.Optimizer]) -> Progress:
        """Put the latest checkpoint into model and optimizers; the start of a run when there is none."""
        if self._run is None or not self._resume:
            return Progress()
        states = [self._run.checkpoint(step) / "state" for step in self._run.checkpoint_steps()]
        states = [state for state in states if state.is_dir()]
        if not states:
            return Progress()
        state = states[-1]
        try:
            about = json.loads((state / "progress.json").read_text(encoding="utf-8"))
            _fill(model, load_file(state / "trained.safetensors"))
            _unflatten(optimizers, load_file(state / "optimizers.safetensors"), about["optimizers"])
            return Progress(**about["progress"])
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise RunError(
                f"The checkpoint {state.parent.name} cannot be read ({error}). Delete the folder {state.parent} to go "
                "on from the one before it."
            ) from error


def _flush(folder: Path) -> None:
    """Have everything in a folder on the disk before it gets its name."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb+") as opened:
                os.fsync(opened.fileno())


def _trained(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach().cpu().contiguous() for name, p in model.named_parameters() if p.requires_grad}


def _fill(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Put back what `_trained` gave. Raises `ValueError` when it is not exactly what is trained here."""
    if different := tensors.keys() ^ _trained(model).keys():
        raise ValueError(f"it is of another model: {', '.join(sorted(different)[:3])}")
    model.load_state_dict(tensors, strict=False)


def _flatten(optimizers: Sequence[torch.optim.Optimizer]) -> tuple[dict[str, Tensor], list[Any]]:
    """The state of optimizers as named tensors, and the rest as JSON: groups, and numbers that are no tensors."""
    tensors: dict[str, Tensor] = {}
    rest: list[Any] = []
    for number, optimizer in enumerate(optimizers):
        saved = optimizer.state_dict()
        numbers: dict[str, Any] = {}
        for parameter, values in saved["state"].items():
            for name, value in values.items():
                if isinstance(value, Tensor):
                    tensors[f"{number}.{parameter}.{name}"] = value.detach().cpu().contiguous()
                else:
                    numbers[f"{parameter}.{name}"] = value
        rest.append({"groups": saved["param_groups"], "numbers": numbers})
    return tensors, rest


def _unflatten(optimizers: Sequence[torch.optim.Optimizer], tensors: dict[str, Tensor], rest: list[Any]) -> None:
    """The inverse of `_flatten`."""
    for number, (optimizer, saved) in enumerate(zip(optimizers, rest, strict=True)):
        state: dict[int, dict[str, Any]] = {}
        own = {name.partition(".")[2]: value for name, value in tensors.items() if name.startswith(f"{number}.")}
        for key, value in (own | saved["numbers"]).items():
            parameter, _, name = key.partition(".")
            state.setdefault(int(parameter), {})[name] = value
        optimizer.load_state_dict({"state": state, "param_groups": saved["groups"]})
