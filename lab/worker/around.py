"""What every algorithm's page has around it in a run's folder: length, surroundings, and the end of the run."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lab.causal_lm import CausalLM
from lab.checkpoint import Checkpoints
from lab.config import LoRAConfig, TrainingConfig
from lab.events import RunReporter
from lab.model import adapt, load_model, load_quantized, save_adapted, save_model
from lab.run_dir import RunDir
from lab.training import Answers, TrainingRun, make_accelerator, slow_at_bfloat16

if TYPE_CHECKING:
    from torch import nn

    from lab.scalar_head import RewardModel


def trainee(
    config: TrainingConfig,
    parent: Path,
    lora: LoRAConfig | None = None,
    tokenizer: Path | None = None,
    new_ids: Sequence[int] = (),
) -> tuple[CausalLM, Callable[..., None]]:
    """The model in `parent` ready to be trained, all of it or adapters beside it, and what writes it to a folder.
    `tokenizer` is the folder of another tokenizer than its own, with tokens `new_ids` that the model did not have."""
    model = starting_point(config, parent, lora)
    if new_ids:
        model.grow(new_ids)
    tokenizer = tokenizer or parent
    save: Callable[..., None] = partial(save_model, tokenizer_from=tokenizer)
    if lora:
        adapt(model, lora, config.seed, new_ids)
        save = partial(save_adapted, parent=parent, config=lora, tokenizer_from=tokenizer)
    if config.gradient_checkpointing:
        model.keep_less()
    return model, save


def starting_point(config: TrainingConfig, parent: Path, lora: LoRAConfig | None = None) -> CausalLM:
    """The model in `parent`, in 4 bits where that is asked for."""
    if lora and lora.quantize != "no":
        return load_quantized(parent, config.device)
    return load_model(parent)


def usable_length(config: TrainingConfig, model: CausalLM | RewardModel, report: RunReporter) -> int:
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
    if config.precision == "bfloat16" and slow_at_bfloat16():
        report.message("This processor only imitates bfloat16: float32 is faster here.")
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
