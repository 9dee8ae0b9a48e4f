"""Makes the bundled models again, from a seed and nothing else.

    python -m lab.world.recipe --work FOLDER

trains the tokenizer, then the base model in its stages, then the assistant on conversations, and puts the two into
assets/models. Interrupted, the same command goes on where it was. `--preset nano` does all of it in a minute or two,
for a look at how it goes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.config import OptimizerConfig, PretrainConfig, SFTConfig
from lab.events import last_event
from lab.run_dir import RunDir, write_json, write_jsonl
from lab.world.samples import chat_rows
from lab.world.tokenizer import save_tokenizer, train_tokenizer
from lab.world.world import World

WORLD_SEED = 0
CONTEXT_LENGTH = 1024
ASSISTANT_LEARNING_RATE = 5e-4


@dataclass(frozen=True)
class Stage:
    """A run of the recipe: documents of a mix, steps of four windows of 1,024 tokens, and the peak learning rates as a
    share of the first stage's. `final` is the share that is left at its end."""

    mix: str
    documents: int
    steps: int
    peak: float
    final: float
    warmup_steps: int

    def config(self, model: str) -> PretrainConfig:
        """The settings of the run."""
        return PretrainConfig(
            model=model,
            dataset="world:documents",
            max_steps=self.steps,
            batch_size=4,
            max_length=CONTEXT_LENGTH,
            context_length=CONTEXT_LENGTH,
            eval_every=200,
            sample_every=0,
            checkpoint_every=100,
            learning_rate=4e-3 * self.peak,
            matrix_learning_rate=0.02 * self.peak,
            device="cpu",
            optimizer=OptimizerConfig(warmup_steps=self.warmup_steps, beta2=0.95, schedule="linear", final=self.final),
        )


@dataclass(frozen=True)
class Preset:
    """The stages in order, and how much the tokenizer and the held-out measurements read."""

    stages: tuple[Stage, ...]
    heldout_documents: int = 300
    vocabulary: int = 2048
    tokenizer_documents: int = 20_000
    assistant_steps: int = 180


PRESETS = {
    "nano": Preset(
        (Stage("first", 2_000, 40, 1.0, 0.36, 10), Stage("copying", 1_000, 20, 0.4, 0.0, 5)),
        heldout_documents=50,
        tokenizer_documents=2_000,
        assistant_steps=10,
    ),
    "cpu": Preset((Stage("first", 85_000, 1_682, 1.0, 0.3586, 40), Stage("copying", 40_000, 1_200, 0.5, 0.0, 20))),
}
"""`cpu` made the model that ships."""


def make(work: Path, preset: Preset, into: Path) -> None:
    """All of it, into the folders `base` and `sft` of `into`. Raises `CalledProcessError` when a run fails; its log
    says why."""
    from lab.world.export import ship  # imports torch

    parent = work / "tokenizer"
    if not (parent / "tokenizer_config.json").is_file():
        make_tokenizer(parent, preset)
    for number, stage in enumerate(preset.stages, 1):
        run = RunDir(work / f"stage-{number}")
        if not run.run_file.is_file():
            prepare(run, stage, parent, preset.heldout_documents, is_new=number == 1)
        train(run)
        parent = run.model
    ship(parent, into / "base", fresh=True)
    run = RunDir(work / "assistant")
    if not run.run_file.is_file():
        prepare_assistant(run, preset, into / "base")
    train(run)
    ship(run.model, into / "sft", fresh=False)


def make_tokenizer(folder: Path, preset: Preset) -> None:
    """Train the tokenizer on documents of its own."""
    texts = (document.text for document in World(WORLD_SEED).documents(preset.tokenizer_documents, split="tokenizer"))
    save_tokenizer(train_tokenizer(texts, preset.vocabulary), folder, context_length=CONTEXT_LENGTH)


def prepare(run: RunDir, stage: Stage, parent: Path, heldout_documents: int, *, is_new: bool) -> None:
    """Make the folder of a stage's run. `parent` is the model to go on from, or the tokenizer of a new one."""
    world = World(WORLD_SEED)
    run.data.mkdir(parents=True, exist_ok=True)
    write_jsonl(run.data / "train.jsonl", rows(world, stage.documents, "train", stage.mix))
    write_jsonl(run.data / "heldout.jsonl", rows(world, heldout_documents, "heldout", "first"))
    config = stage.config("" if is_new else str(parent.resolve()))
    write_json(run.config_file, config.to_json())
    about = {"id": run.id, "algorithm": config.algorithm, "attempt": 0, "model_folder": str(parent.resolve())}
    write_json(run.run_file, about)


def prepare_assistant(run: RunDir, preset: Preset, parent: Path) -> None:
    """Make the folder of the run that makes an assistant of the base model: the sample file `world_chat`."""
    conversations = chat_rows(World(WORLD_SEED))
    run.data.mkdir(parents=True, exist_ok=True)
    write_jsonl(run.data / "train.jsonl", conversations[75:])
    write_jsonl(run.data / "heldout.jsonl", conversations[:75])
    config = SFTConfig(
        model="bundled:base",
        dataset="sample:world_chat",
        max_steps=preset.assistant_steps,
        learning_rate=ASSISTANT_LEARNING_RATE,
        sample_every=0,
        device="cpu",
    )
    write_json(run.config_file, config.to_json())
    about = {"id": run.id, "algorithm": config.algorithm, "attempt": 0, "model_folder": str(parent.resolve())}
    write_json(run.run_file, about)


def rows(world: World, count: int, split: str, mix: str) -> Iterator[dict[str, Any]]:
    """Documents as the lines of a run's data file."""
    for document in world.documents(count, split=split, mix=mix):
        yield {"text": document.text, "family": document.family}


def train(run: RunDir) -> None:
    """Train in a process of its own, from the latest checkpoint when there is one; nothing when it has finished."""
    if (ending := last_event(run.events)) and ending.type == "finished":
        return
    run.clear_requests()
    run.update(attempt=run.about()["attempt"] + 1, resume=bool(run.checkpoint_steps()))
    with run.log.open("ab") as log:
        subprocess.run([sys.executable, "-m", "lab.worker", str(run.path)], check=True, stdout=log, stderr=log)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="where the runs live while they train")
    parser.add_argument("--preset", choices=tuple(PRESETS), default="cpu")
    parser.add_argument("--into", type=Path, default=Path("assets/models"), help="where the models go")
    arguments = parser.parse_args()
    make(arguments.work, PRESETS[arguments.preset], arguments.into)


if __name__ == "__main__":
    main()
