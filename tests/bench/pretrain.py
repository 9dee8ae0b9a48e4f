"""Pretraining tokens per second beside a plain PyTorch loop over transformers' Llama, on one thread; and world text.

    python -m tests.bench.pretrain [--shapes 2M 10M] [--rounds 3] [--steps 6] [--save]

The same tokens, shape, optimizer (AdamW) and precision (float32) on both sides, about 2,048 tokens a step. The plain
loop is what people write: `model(ids, labels=…).loss`, backward, clip, step; in two forms. `padded` does the same work
as ours, documents kept apart, one in a row, the shorter ones padded. `joined` does less: documents run on into each
other and are cut into full rows, so that nothing is padded and each sees what came before it. Ours is the page that
runs in the app, with its metrics at every step; a second row of ours has Muon for the matrices, as the page's settings
do. CPU time of interleaved rounds in one process, medians; a matrix product is timed in between, so that a busy machine
shows.
"""

from __future__ import annotations

import argparse
import itertools
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from lab.algorithms import pretrain as page
from lab.checkpoint import Checkpoints
from lab.config import OptimizerConfig, PretrainConfig
from lab.events import RunReporter
from lab.model import load_model, save_model
from lab.tokenizer import load_tokenizer
from lab.training import TrainingRun, make_accelerator
from lab.transformer import Transformer, TransformerConfig
from lab.windows import Windows, encode_documents, pack_documents
from lab.world import World
from lab.world.tokenizer import save_tokenizer, train_tokenizer
from tests.bench.results import write_rows
from tests.bench.sft import SHAPES, Round, gemm_rate

VOCABULARY, BATCH, LENGTH, RATE = 4096, 8, 256, 1e-3
TEXT_GOAL = 5.0
PAIRS: dict[tuple[str, str], dict[str, float]] = {
    ("adamw", "padded"): {"floor": 1.2, "goal": 1.3},
    ("adamw", "joined"): {"floor": 0.85},
    ("muon", "padded"): {"floor": 0.7},
}
"""Ours beside a form of the plain loop; Muon does more work at each step (and needs fewer)."""


Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]
"""Ids and labels (rows × length), and the mask of what is not padding."""


def prepare(folder: Path, shape: str, documents: list[str]) -> list[list[int]]:
    """A random Llama in `folder`; the documents as tokens."""
    model = Transformer(TransformerConfig(vocab_size=VOCABULARY, context_length=LENGTH, **SHAPES[shape]))
    model.initialise(0)
    save_model(model, folder)
    save_tokenizer(train_tokenizer(documents, VOCABULARY), folder, context_length=LENGTH)
    return list(encode_documents(documents, load_tokenizer(folder)))


def joined(encoded: list[list[int]], steps: int) -> list[Batch]:
    """Documents one after another, cut into full rows."""
    ids = torch.tensor(list(itertools.chain.from_iterable(encoded)))
    rows = ids[: steps * BATCH * LENGTH].view(steps, BATCH, LENGTH)
    return [(row, row, None) for row in rows]


def padded(encoded: list[list[int]], steps: int) -> list[Batch]:
    """One document in a row, cut to the length, as many rows as have the tokens of a batch."""
    waiting, batches = iter(encoded), []
    for _ in range(steps):
        rows: list[torch.Tensor] = []
        while sum(map(len, rows)) < BATCH * LENGTH:
            rows.append(torch.tensor(next(waiting)[:LENGTH]))
        ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        mask = torch.arange(ids.shape[1]) < torch.tensor([[len(row)] for row in rows])
        batches.append((ids, ids.masked_fill(~mask, -100), mask.long()))
    return batches


def plain_round(folder: Path, batches: list[Batch]) -> Round:
    """The plain loop."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    model = transformers.LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, fused=True)

    def one_round() -> tuple[float, float]:
        marks, tokens = [], 0
        for number, (ids, labels, mask) in enumerate(batches):
            model(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            marks.append(time.process_time())
            tokens += int((labels[:, 1:] != -100).sum()) if number > 1 else 0
        return tokens / (marks[-1] - marks[1]), 1.0

    return one_round


def our_round(folder: Path, windows: Windows, steps: int, muon: bool) -> Round:
    """The page."""
    config = PretrainConfig(
        max_steps=steps,
        batch_size=BATCH,
        learning_rate=RATE,
        matrix_learning_rate=0.02 if muon else 0.0,
        max_length=LENGTH,
        eval_every=0,
        sample_every=0,
        checkpoint_every=0,
        device="cpu",
        optimizer=OptimizerConfig(warmup_steps=0),
    )
    model, accelerator = load_model(folder), make_accelerator(config)

    def one_round() -> tuple[float, float]:
        marks: list[tuple[float, float]] = []

        def note(type: str, fields: dict[str, Any]) -> None:
            if type == "metrics" and "tokens" in fields["values"]:
                marks.append((time.process_time(), fields["values"]["tokens"]))

        run = TrainingRun(config, accelerator, RunReporter(note), Checkpoints(None, save_model))
        page.train(model, windows, [], 0, config, run)
        (first, before), (last, after) = marks[1], marks[-1]
        return (after - before) / (last - first), 1.0

    return one_round


def useful_operations(shape: str) -> float:
    """Per token: 6 N, the head included."""
    size = SHAPES[shape]
    layer = 4 * size["hidden_size"] ** 2 + 3 * size["hidden_size"] * size["intermediate_size"]
    return 6 * (size["layers"] * layer + VOCABULARY * size["hidden_size"])


def measure(shape: str, rounds: int, steps: int) -> list[dict[str, Any]]:
    """The rows of one shape."""
    documents = [document.text for document in World(1).documents(4000)]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        encoded = prepare(folder, shape, documents)
        windows = pack_documents(encoded, LENGTH)
        runs = {
            "padded": plain_round(folder, padded(encoded, steps)),
            "joined": plain_round(folder, joined(encoded, steps)),
            "adamw": our_round(folder, windows, steps, muon=False),
            "muon": our_round(folder, windows, steps, muon=True),
        }
        rates: dict[str, list[float]] = {name: [] for name in runs}
        gemms = [gemm_rate()]
        for _ in range(rounds):
            for name, run in runs.items():
                rates[name].append(run()[0])
                gemms.append(gemm_rate())
    gemm = statistics.median(gemms)
    return [_row(shape, ours, peer, rates, gemm) for ours, peer in PAIRS]


def _row(shape: str, ours: str, peer: str, rates: dict[str, list[float]], gemm: float) -> dict[str, Any]:
    ratios = sorted(mine / theirs for mine, theirs in zip(rates[ours], rates[peer]))
    medians = {each: statistics.median(rates[each]) for each in (ours, peer)}
    row: dict[str, Any] = {
        "work": f"pretrain {ours}",
        "shape": shape,
        "peer": f"plain loop, {peer}",
        "ratio": round(statistics.median(ratios), 2),
        **PAIRS[ours, peer],
        "share_of_gemm": round(medians[ours] * useful_operations(shape) / gemm, 2),
        "ratios": [round(ratio, 2) for ratio in ratios],
        "tokens_per_second": {each: round(value) for each, value in medians.items()},
        "gemm_gflops": round(gemm / 1e9, 1),
    }
    print(row, flush=True)
    return row


def world_text() -> dict[str, Any]:
    """How fast the world writes its documents, in MB of UTF-8 per second of CPU time."""
    rates = []
    for seed in range(3):
        started = time.process_time()
        size = sum(len(document.text.encode()) for document in World(seed).documents(10_000))
        rates.append(size / 1e6 / (time.process_time() - started))
    rate = statistics.median(rates)
    row = {
        "work": "world text",
        "shape": "10,000 documents",
        "peer": "goal of 5 MB/s",
        "ratio": round(rate / TEXT_GOAL, 2),
    }
    row |= {"floor": 1.0, "goal": 1.0, "megabytes_per_second": round(rate, 1)}
    print(row, flush=True)
    return row


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", choices=tuple(SHAPES), default=list(SHAPES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--save", action="store_true", help="write results.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    measured = (measure(shape, arguments.rounds, arguments.steps) for shape in arguments.shapes)
    rows = [world_text(), *itertools.chain.from_iterable(measured)]
    if arguments.save:
        write_rows(rows)
    if below := [row for row in rows if row["ratio"] < row["floor"]]:
        raise SystemExit(f"Below the floor: {below}")


if __name__ == "__main__":
    main()
