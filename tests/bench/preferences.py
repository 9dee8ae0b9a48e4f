"""What the benches of DPO and of reward models share: pairs, a round of ours, a round of TRL's, one row of results.

As in `tests/bench/sft.py`: the same pairs, model, batch size, optimizer and precision (float32) on both sides, CPU time
of interleaved rounds in one process, the median of the ratios. TRL runs without bfloat16 and gradient checkpointing,
with batches as they come and with batches of about one length; the better of the two is the peer.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import random
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lab.chat_template import ChatTemplate
from lab.checkpoint import Checkpoints
from lab.config import OptimizerConfig, TrainingConfig
from lab.events import RunReporter
from lab.preference_batching import EncodedPair, encode_pairs
from lab.training import TrainingRun, make_accelerator
from tests.bench.results import write_rows
from tests.bench.sft import BATCH, RATE, SHAPES, WORDS, Round, gemm_rate, make_model

TRL_BATCHES = {"random": False, "group_by_length": True}
"""Whether batches are made of pairs of about one length."""


@dataclass(frozen=True)
class Bench:
    """One algorithm to be measured.

    `trainer` makes TRL's trainer from (folder, dataset, arguments, callbacks); `page` trains ours on
    (folder, pairs, config, run).
    """

    work: str
    goal: float
    config: type[TrainingConfig]
    trainer: Callable[[Path, Any, dict[str, Any], list[Any]], Any]
    page: Callable[[Path, list[EncodedPair], Any, TrainingRun], Any]


def made_pairs(count: int, seed: int = 3) -> list[dict[str, Any]]:
    """Pairs whose conversations have 20 to 300 tokens."""
    chance = random.Random(seed)

    def words(number: float) -> str:
        return " ".join(chance.choice(WORDS) for _ in range(max(2, int(number))))

    rows = []
    for _ in range(count):
        total = chance.triangular(20, 290, 70)
        replies = [words(total * chance.uniform(0.4, 0.8)) for _ in range(2)]
        prompt = [{"role": "user", "content": words(total * 0.4)}]
        rows.append({"prompt": prompt, "chosen": replies[0], "rejected": replies[1]})
    return rows


def for_trl(row: dict[str, Any]) -> dict[str, Any]:
    """A pair in TRL's conversational form."""
    replies = {name: [{"role": "assistant", "content": row[name]}] for name in ("chosen", "rejected")}
    return {"prompt": row["prompt"], **replies}


def trl_round(
    bench: Bench,
    folder: Path,
    rows: list[dict[str, Any]],
    pairs: list[EncodedPair],
    steps: int,
    by_length: bool,
) -> Round:
    """TRL's trainer on the pairs."""
    import datasets
    import transformers
    from transformers.trainer_pt_utils import LengthGroupedSampler

    transformers.logging.set_verbosity_error()
    datasets.disable_progress_bars()
    marks: list[float] = []
    seen: list[int] = []

    class Clock(transformers.TrainerCallback):
        def on_step_end(self, *args: Any, **others: Any) -> None:
            marks.append(time.process_time())

    arguments = {
        "output_dir": str(folder / "trl"),
        "max_steps": steps,
        "learning_rate": RATE,
        "per_device_train_batch_size": BATCH,
        "bf16": False,
        "gradient_checkpointing": False,
        "use_cpu": True,
        "dataloader_pin_memory": False,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "logging_steps": 10**6,
    }
    dataset = datasets.Dataset.from_list(list(map(for_trl, rows)))
    trainer = bench.trainer(folder, dataset, arguments, [Clock()])
    if by_length:  # TRL's preparation drops the column with lengths that its own sampler wants
        lengths = [max(len(pair.chosen.ids), len(pair.rejected.ids)) for pair in pairs]
        trainer._get_train_sampler = lambda *_: LengthGroupedSampler(BATCH, lengths=lengths)
    collate = trainer.data_collator

    def counting(examples: list[dict[str, Any]]) -> Any:
        prompts = sum(2 * len(example.get("prompt_ids", ())) for example in examples)
        seen.append(prompts + sum(len(example["chosen_ids"]) + len(example["rejected_ids"]) for example in examples))
        return collate(examples)

    trainer.data_collator = counting

    def one_round() -> tuple[float, float]:
        marks.clear()
        seen.clear()
        with contextlib.redirect_stdout(io.StringIO()):
            trainer.train()
        return sum(seen[2 : len(marks)]) / (marks[-1] - marks[1]), 0.0

    return one_round


def our_round(bench: Bench, folder: Path, pairs: list[EncodedPair], steps: int) -> Round:
    """The page on the pairs."""
    config = bench.config(
        max_steps=steps,
        batch_size=BATCH,
        learning_rate=RATE,
        max_length=1184,
        eval_every=0,
        sample_every=0,
        checkpoint_every=0,
        device="cpu",
        optimizer=OptimizerConfig(warmup_steps=0),
    )
    accelerator = make_accelerator(config)

    def one_round() -> tuple[float, float]:
        marks: list[tuple[float, float]] = []

        def note(type: str, fields: dict[str, Any]) -> None:
            if type == "metrics":
                marks.append((time.process_time(), fields["values"]["tokens"]))

        nothing = Checkpoints(None, lambda model, folder: None)
        bench.page(folder, pairs, config, TrainingRun(config, accelerator, RunReporter(note), nothing))
        (first, before), (last, after) = marks[1], marks[-1]
        return (after - before) / (last - first), 0.0

    return one_round


def measure(bench: Bench, shape: str, rounds: int, steps: int) -> dict[str, Any]:
    """One row of the results."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = make_model(Path(temporary) / "model", shape)
        rows = made_pairs(BATCH * steps * 2)
        pairs = encode_pairs(enumerate(rows), ChatTemplate.from_folder(folder), 1184)
        runs = {f"trl {name}": trl_round(bench, folder, rows, pairs, steps, more) for name, more in TRL_BATCHES.items()}
        runs["nudge"] = our_round(bench, folder, pairs, steps)
        rates: dict[str, list[float]] = {name: [] for name in runs}
        gemms = [gemm_rate()]
        for _ in range(rounds):
            for name, run in runs.items():
                rates[name].append(run()[0])
                gemms.append(gemm_rate())
    medians = {name: statistics.median(values) for name, values in rates.items()}
    peer = max((name for name in medians if name != "nudge"), key=lambda name: medians[name])
    ratios = [ours / theirs for ours, theirs in zip(rates["nudge"], rates[peer])]
    row = {
        "work": bench.work,
        "shape": shape,
        "peer": peer,
        "ratio": round(statistics.median(ratios), 2),
        "floor": 1.0,
        "goal": bench.goal,
        "ratios": [round(ratio, 2) for ratio in sorted(ratios)],
        "tokens_per_second": {name: round(value) for name, value in medians.items()},
        "gemm_gflops": round(statistics.median(gemms) / 1e9, 1),
    }
    print(row, flush=True)
    return row


def main(bench: Bench, description: str | None) -> None:
    """The command line of a bench."""
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", choices=tuple(SHAPES), default=list(SHAPES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--save", action="store_true", help="write results.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [measure(bench, shape, arguments.rounds, arguments.steps) for shape in arguments.shapes]
    if arguments.save:
        write_rows(rows)
    if below := [row for row in rows if row["ratio"] < row["floor"]]:
        raise SystemExit(f"Below the floor: {below}")
