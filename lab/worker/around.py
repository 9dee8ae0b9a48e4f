"""What every algorithm's page has around it in a run's folder: length, surroundings, and the end of the run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING

from lab.checkpoint import Checkpoints
from lab.config import TrainingConfig
from lab.events import RunReporter
from lab.run_dir import RunDir
from lab.training import Answers, TrainingRun, make_accelerator

if TYPE_CHECKING:
    from torch import nn

    from lab.causal_lm import CausalLM


def usable_length(config: TrainingConfig, model: CausalLM, report: RunReporter) -> int:
    """The longest sequence to train on: what the settings say, if the model has positions for so much."""
    if config.max_length > model.context_length:
        report.message(f"max_length is {config.max_length}; this model reads {model.context_length} tokens at most.")
    return min(config.max_length, model.context_length)


def surroundings(
    run: RunDir,
    config: TrainingConfig,
    report: RunReporter,
    save: Callable[..., None],
    answers: Answers,
) -> TrainingRun:
    """What a page has around it, for a run in a folder."""
    checkpoints = Checkpoints(run, save, resume=bool(run.about().get("resume")))
    return TrainingRun(config, make_accelerator(config), report, checkpoints, answers, run)


def finish(run: RunDir, around: TrainingRun, model: nn.Module, step: int) -> None:
    """Leave the result in `model` (under another name until it is whole) and say how the run ended."""
    if around.accelerator.is_main_process:
        unfinished = run.path / ".model.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        around.checkpoints.save_model(model, unfinished)
        shutil.rmtree(run.model, ignore_errors=True)
        unfinished.replace(run.model)
        say = around.report.finished if step == around.config.max_steps else around.report.stopped
        say(step)
    around.accelerator.end_training()
