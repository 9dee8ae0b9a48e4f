"""SFT tokens per second beside TRL's best settings, on one thread.

    python -m tests.bench.sft [--shapes 2M 10M] [--works full lora] [--rounds 3] [--steps 8] [--save]

The same conversations, model, batch size, optimizer and precision (float32) on both sides. TRL runs with what was found
to be fastest on a CPU: no bfloat16, no gradient checkpointing, and either batches of about one length or packing;
the better of the two is the peer. Ours is the page that runs in the app, with its metrics at every step. CPU time of
interleaved rounds in one process, medians; a matrix product is timed in between, so that a busy machine shows.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
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

from lab.algorithms import sft as page
from lab.batching import encode_conversations
from lab.chat_template import ChatTemplate
from lab.checkpoint import Checkpoints
from lab.config import LoRAConfig, OptimizerConfig, SFTConfig
from lab.events import RunReporter
from lab.model import adapt, load_model, save_model
from lab.training import TrainingRun, make_accelerator
from lab.transformer import Transformer, TransformerConfig
from lab.world.tokenizer import save_tokenizer, train_tokenizer
from tests.bench.results import write_rows

VOCABULARY, BATCH, RATE = 4096, 8, 1e-4
SHAPES = {
    "2M": {"hidden_size": 192, "intermediate_size": 512, "layers": 5, "heads": 6, "kv_heads": 6, "head_size": 32},
    "10M": {"hidden_size": 384, "intermediate_size": 1024, "layers": 6, "heads": 6, "kv_heads": 6, "head_size": 64},
}
"""Llama shapes by their parameters without the embedding."""
FLOORS = {("full", "2M"): 1.8, ("full", "10M"): 1.4, ("lora", "2M"): 1.8, ("lora", "10M"): 1.5}
GOALS = {("full", "2M"): 2.2, ("full", "10M"): 1.7, ("lora", "2M"): 2.2, ("lora", "10M"): 1.8}
TRL_SETTINGS: dict[str, dict[str, Any]] = {
    "group_by_length": {"train_sampling_strategy": "group_by_length", "per_device_train_batch_size": BATCH},
    "packing": {"packing": True, "max_length": 1184, "per_device_train_batch_size": 1},
}
Round = Callable[[], tuple[float, float]]
"""Trains for some steps; gives tokens per second of CPU time, and the share of the tokens that are learned."""

_words = random.Random(1)
WORDS = [
    "".join(_words.choice("bcdfghklmnprstvz") + _words.choice("aeiou") for _ in range(_words.choice((1, 2, 2, 3))))
    for _ in range(3000)
]


def conversations(count: int, seed: int = 3) -> list[dict[str, Any]]:
    """Conversations of 15 to 300 tokens in one to three turns."""
    chance = random.Random(seed)

    def words(number: float) -> str:
        return " ".join(chance.choice(WORDS) for _ in range(max(2, int(number))))

    rows = []
    for _ in range(count):
        total, turns = chance.triangular(14, 290, 55), chance.choice((1, 1, 2, 3))
        messages = []
        for _ in range(turns):
            messages.append({"role": "user", "content": words(total * 0.4 / turns)})
            messages.append({"role": "assistant", "content": words(total * 0.6 / turns)})
        rows.append({"messages": messages})
    return rows


def make_model(folder: Path, shape: str) -> Path:
    """A random Llama of one of the shapes."""
    chance = random.Random(0)
    texts = (" ".join(chance.choice(WORDS) for _ in range(60)) for _ in range(4000))
    tokenizer = train_tokenizer(texts, VOCABULARY)
    model = Transformer(
        TransformerConfig(vocab_size=tokenizer.get_vocab_size(), context_length=1280, **SHAPES[shape]),
        about={"bos_token_id": 0, "eos_token_id": 4, "pad_token_id": 5},
    )
    model.initialise(0)
    save_model(model, folder)
    save_tokenizer(tokenizer, folder, context_length=1280)
    return folder


def trl_round(folder: Path, rows: list[dict[str, Any]], steps: int, lora: bool, settings: dict[str, Any]) -> Round:
    """TRL's trainer on the conversations."""
    import datasets
    import transformers
    from peft import LoraConfig
    from trl import SFTConfig as TRLConfig
    from trl import SFTTrainer

    transformers.logging.set_verbosity_error()
    datasets.disable_progress_bars()
    marks: list[float] = []
    seen: list[tuple[int, int]] = []

    class Clock(transformers.TrainerCallback):
        def on_step_end(self, *args: Any, **others: Any) -> None:
            marks.append(time.process_time())

    arguments = TRLConfig(
        output_dir=str(folder / "trl"),
        max_steps=steps,
        learning_rate=RATE,
        bf16=False,
        gradient_checkpointing=False,
        assistant_only_loss=True,
        use_cpu=True,
        dataloader_pin_memory=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        logging_steps=10**6,
        **settings,
    )
    trainer = SFTTrainer(
        model=transformers.LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32),
        args=arguments,
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=transformers.PreTrainedTokenizerFast.from_pretrained(folder),
        peft_config=LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
        if lora
        else None,
        callbacks=[Clock()],
    )
    collate = trainer.data_collator

    def counting(examples: list[dict[str, Any]]) -> Any:
        batch = collate(examples)
        learned = int((batch["labels"] != -100).sum())
        seen.append((sum(len(example["input_ids"]) for example in examples), learned))
        return batch

    trainer.data_collator = counting

    def one_round() -> tuple[float, float]:
        marks.clear()
        seen.clear()
        with contextlib.redirect_stdout(io.StringIO()):
            trainer.train()
        tokens = sum(read for read, _ in seen[2 : len(marks)])
        return tokens / (marks[-1] - marks[1]), sum(learned for _, learned in seen) / sum(read for read, _ in seen)

    return one_round


def our_round(folder: Path, rows: list[dict[str, Any]], steps: int, lora: bool) -> Round:
    """The page on the conversations."""
    adapter = LoRAConfig(r=8, alpha=16) if lora else None
    config = SFTConfig(
        max_steps=steps,
        batch_size=BATCH,
        learning_rate=RATE,
        max_length=1184,
        eval_every=0,
        sample_every=0,
        checkpoint_every=0,
        device="cpu",
        lora=adapter,
        optimizer=OptimizerConfig(warmup_steps=0),
    )
    model = load_model(folder)
    if adapter:
        adapt(model, adapter, 0)
    examples = encode_conversations(rows, ChatTemplate.from_folder(folder), config.max_length)
    accelerator = make_accelerator(config)

    def one_round() -> tuple[float, float]:
        marks: list[tuple[float, float]] = []

        def note(type: str, fields: dict[str, Any]) -> None:
            if type == "metrics":
                marks.append((time.process_time(), fields["values"]["tokens"]))

        page.train(
            model,
            examples,
            [],
            config,
            TrainingRun(config, accelerator, RunReporter(note), Checkpoints(None, save_model)),
        )
        (first, before), (last, after) = marks[1], marks[-1]
        learned = sum(example.targets for example in examples) / sum(len(example.ids) for example in examples)
        return (after - before) / (last - first), learned

    return one_round


def gemm_rate() -> float:
    """Floating-point operations per second of CPU time in a matrix product of a typical shape."""
    a, b = torch.randn(1024, 768), torch.randn(1024, 768)
    started = time.process_time()
    for _ in range(20):
        a @ b.T
    return 20 * 2 * 1024 * 1024 * 768 / (time.process_time() - started)


def useful_operations(shape: str, lora: bool, learned: float) -> float:
    """Per token: 2 N forward, 2 N for the gradient of the states, 2 N for that of the weights; the head only where a
    token is learned."""
    size = SHAPES[shape]
    layer = 4 * size["hidden_size"] ** 2 + 3 * size["hidden_size"] * size["intermediate_size"]
    head = VOCABULARY * size["hidden_size"] * learned
    return (4 if lora else 6) * (size["layers"] * layer + head)


def measure(shape: str, work: str, rounds: int, steps: int) -> dict[str, Any]:
    """One row of the results."""
    lora = work == "lora"
    rows = conversations(BATCH * steps * 2)
    with tempfile.TemporaryDirectory() as temporary:
        folder = make_model(Path(temporary) / "model", shape)
        runs: dict[str, Round] = {
            f"trl {name}": trl_round(folder, rows, steps, lora, settings) for name, settings in TRL_SETTINGS.items()
        }
        runs["nudge"] = our_round(folder, rows, steps, lora)
        rates: dict[str, list[float]] = {name: [] for name in runs}
        gemms, learned = [gemm_rate()], 0.5
        for _ in range(rounds):
            for name, run in runs.items():
                rate, learned = run()
                rates[name].append(rate)
                gemms.append(gemm_rate())
    medians = {name: statistics.median(values) for name, values in rates.items()}
    peer = max(TRL_SETTINGS, key=lambda name: medians[f"trl {name}"])
    ratios = [ours / theirs for ours, theirs in zip(rates["nudge"], rates[f"trl {peer}"])]
    gemm = statistics.median(gemms)
    row = {
        "work": f"sft {work}",
        "shape": shape,
        "peer": f"trl {peer}",
        "ratio": round(statistics.median(ratios), 2),
        "floor": FLOORS[work, shape],
        "goal": GOALS[work, shape],
        "share_of_gemm": round(medians["nudge"] * useful_operations(shape, lora, learned) / gemm, 2),
        "ratios": [round(ratio, 2) for ratio in sorted(ratios)],
        "tokens_per_second": {name: round(value) for name, value in medians.items()},
        "gemm_gflops": round(gemm / 1e9, 1),
    }
    print(row, flush=True)
    return row


def main() -> None:
    """The command line."""
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", choices=tuple(SHAPES), default=list(SHAPES))
    parser.add_argument("--works", nargs="+", choices=("full", "lora"), default=["full", "lora"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--save", action="store_true", help="write results.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for shape, work in itertools.product(arguments.shapes, arguments.works):
        rows.append(measure(shape, work, arguments.rounds, arguments.steps))
        if arguments.save:
            write_rows(rows[-1:])
    if below := [row for row in rows if row["ratio"] < row["floor"]]:
        raise SystemExit(f"Below the floor: {below}")


if __name__ == "__main__":
    main()
