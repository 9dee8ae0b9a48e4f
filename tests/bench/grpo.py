"""A GRPO step beside TRL's, and its rollouts beside transformers' `generate`, on one thread.

    python -m tests.bench.grpo [--shapes 2M] [--rounds 3] [--steps 3] [--save]

The same model, prompts, group size, reward, loss (TRL's default: token-averaged, no KL) and precision (float32) on both
sides; TRL without bfloat16 and without gradient checkpointing, which is what was found to be fastest on a CPU. Ours is
the page that runs in the app, with its metrics. CPU time of interleaved rounds in one process, medians. The models are
random, so completions run to their longest length on both sides.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import random
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from lab.algorithms import grpo as page
from lab.chat_template import ChatTemplate
from lab.checkpoint import Checkpoints
from lab.config import GRPOConfig, OptimizerConfig
from lab.events import RunReporter
from lab.model import load_model, save_model
from lab.problem import Problem
from lab.rewards import Score
from lab.rl import Practice
from lab.rollout import sample_rollouts
from lab.training import TrainingRun, make_accelerator
from lab.worker.rl import exam_of, prompts_of
from tests.bench.results import write_rows
from tests.bench.sft import SHAPES, WORDS, make_model

PROMPTS, GROUP, NEW = 8, 8, 64
GOALS = {"grpo": 1.5, "rollouts": 1.5}
Round = Callable[[], tuple[float, float]]
"""Seconds of CPU time per step, and of them in writing completions."""


def questions(count: int, seed: int = 5) -> list[str]:
    """Questions of about 36 words."""
    chance = random.Random(seed)
    return [" ".join(chance.choice(WORDS) for _ in range(chance.randint(30, 42))) for _ in range(count)]


def vowels(text: str) -> float:
    """A reward that differs between completions."""
    return sum(text.count(letter) for letter in "aei") / (1 + len(text))


def trl_round(folder: Path, asked: list[str], steps: int) -> Round:
    """TRL's trainer."""
    import datasets
    import transformers
    from trl import GRPOConfig as TRLConfig
    from trl import GRPOTrainer

    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    marks: list[float] = []
    writing: list[float] = []

    class Clock(transformers.TrainerCallback):
        def on_step_end(self, *args: Any, **others: Any) -> None:
            marks.append(time.process_time())

    trainer = GRPOTrainer(
        model=transformers.LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32),
        args=TRLConfig(
            output_dir=str(folder / "trl"),
            max_steps=steps,
            per_device_train_batch_size=PROMPTS * GROUP,
            num_generations=GROUP,
            max_completion_length=NEW,
            learning_rate=1e-5,
            bf16=False,
            gradient_checkpointing=False,
            use_cpu=True,
            dataloader_pin_memory=False,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            logging_steps=10**6,
        ),
        reward_funcs=lambda completions, **_: [vowels(said[0]["content"]) for said in completions],
        train_dataset=datasets.Dataset.from_list([{"prompt": [{"role": "user", "content": each}]} for each in asked]),
        processing_class=transformers.PreTrainedTokenizerFast.from_pretrained(folder),
        callbacks=[Clock()],
    )
    write = trainer._generate_single_turn

    def timed(*args: Any, **others: Any) -> Any:
        begun = time.process_time()
        result = write(*args, **others)
        writing.append(time.process_time() - begun)
        return result

    trainer._generate_single_turn = timed

    def one_round() -> tuple[float, float]:
        marks.clear()
        writing.clear()
        with contextlib.redirect_stdout(io.StringIO()):
            trainer.train()
        return (marks[-1] - marks[0]) / (len(marks) - 1), statistics.median(writing)

    return one_round


def our_round(folder: Path, asked: list[str], steps: int) -> Round:
    """The page."""
    config = GRPOConfig(
        max_steps=steps,
        batch_size=PROMPTS,
        group_size=GROUP,
        max_new_tokens=NEW,
        learning_rate=1e-5,
        eval_every=0,
        sample_every=0,
        checkpoint_every=0,
        watched=0,
        device="cpu",
        optimizer=OptimizerConfig(warmup_steps=0),
    )
    model, template = load_model(folder), ChatTemplate.from_folder(folder)
    accelerator = make_accelerator(config)
    marks: list[float] = []
    writing: list[float] = []

    def note(type: str, fields: dict[str, Any]) -> None:
        if type == "metrics":
            marks.append(time.process_time())

    def judged(samples: Any) -> list[Score]:
        return [Score(vowels(sample.completion)) for sample in samples]

    run = TrainingRun(config, accelerator, RunReporter(note), Checkpoints(None, save_model))
    practice = Practice(
        prompts=prompts_of([Problem(each, "0") for each in asked], template, 1024),
        exam=exam_of([], template, 1024, NEW, run),
        reward=judged,
        decode=template.tokenizer.decode_reply,
        end_ids=frozenset(template.end_ids),
        reference=load_model(folder),
        config=config,
        run=run,
    )

    def one_round() -> tuple[float, float]:
        marks.clear()
        writing.clear()
        page.train(model, practice, config, run)
        for step in range(2):
            begun = time.process_time()
            sample_rollouts(
                model,
                practice.prompts[:PROMPTS],
                GROUP,
                reward=judged,
                decode=practice.decode,
                end_ids=practice.end_ids,
                max_new_tokens=NEW,
                seed=0,
                step=step,
            )
            writing.append(time.process_time() - begun)
        return (marks[-1] - marks[0]) / (len(marks) - 1), statistics.median(writing)

    return one_round


def measure(shape: str, rounds: int, steps: int) -> list[dict[str, Any]]:
    """The rows of the results: a whole step, and the writing in it."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = make_model(Path(temporary) / "model", shape)
        asked = questions(64)
        runs = {"trl": trl_round(folder, asked, steps), "nudge": our_round(folder, asked, steps)}
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
        for _ in range(rounds):
            for name, run in runs.items():
                found[name].append(run())
    rows = []
    for place, work in enumerate(("grpo", "rollouts")):
        ratios = sorted(theirs[place] / ours[place] for ours, theirs in zip(found["nudge"], found["trl"]))
        seconds = {name: statistics.median(times[place] for times in found[name]) for name in runs}
        rows.append(
            {
                "work": work,
                "shape": shape,
                "peer": "trl" if work == "grpo" else "transformers generate",
                "ratio": round(statistics.median(ratios), 2),
                "floor": 1.0,
                "goal": GOALS[work],
                "ratios": [round(ratio, 2) for ratio in ratios],
                "seconds": {name: round(value, 2) for name, value in seconds.items()},
            }
        )
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    """The command line."""
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", choices=tuple(SHAPES), default=["2M"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--save", action="store_true", help="write results.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [row for shape in arguments.shapes for row in measure(shape, arguments.rounds, arguments.steps)]
    if arguments.save:
        write_rows(rows)
    if below := [row for row in rows if row["ratio"] < row["floor"]]:
        raise SystemExit(f"Below the floor: {below}")


if __name__ == "__main__":
    main()
