"""Puts together what `lab/algorithms/sft.py` needs, from the folder of a run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from lab.algorithms import sft as page
from lab.answers import chat_prompts
from lab.batching import encode_conversations, example_batches
from lab.chat_template import ChatTemplate
from lab.config import SFTConfig
from lab.errors import DataError
from lab.events import RunReporter
from lab.model import adapt, load_model, save_adapted, save_model
from lab.run_dir import RunDir, read_jsonl
from lab.training import measured
from lab.worker.around import finish, surroundings, usable_length


def work(run: RunDir, config: SFTConfig, report: RunReporter) -> None:
    """Fine-tune the run's model on its conversations."""
    parent = Path(run.about()["model_folder"])
    model = load_model(parent)
    save: Callable[..., None] = partial(save_model, tokenizer_from=parent)
    if config.lora:
        adapt(model, config.lora, config.seed)
        save = partial(save_adapted, parent=parent, config=config.lora)
    template = ChatTemplate.from_folder(parent)
    length = usable_length(config, model, report)
    rows = list(read_jsonl(run.data / "train.jsonl"))
    examples = encode_conversations(rows, template, length)
    if not examples:
        raise DataError(
            f"None of the {len(rows)} conversations has a reply within its first {length} tokens: there is nothing to "
            "learn. Raise max_length, or take other conversations."
        )
    if len(examples) < len(rows):
        report.message(
            f"{len(rows) - len(examples)} of {len(rows)} conversations have no reply within {length} tokens."
        )
    if template.note:
        report.message(template.note)
    heldout_rows = measured(list(read_jsonl(run.data / "heldout.jsonl")), config, config.batch_size)
    heldout = example_batches(encode_conversations(heldout_rows, template, length), config.batch_size)
    conversations = [row["messages"] for row in heldout_rows or rows]
    prompts = chat_prompts(config.sample_prompts, conversations, template, length - 8)
    around = surroundings(run, config, report, save, prompts.answers)
    progress = page.train(model, examples, heldout, config, around)
    finish(run, around, model, progress.step)
