"""Puts together what `lab/algorithms/sft.py` needs, from the folder of a run."""

from __future__ import annotations

from pathlib import Path

from lab.algorithms import sft as page
from lab.answers import chat_prompts
from lab.batching import encode_conversations, example_batches
from lab.chat_template import NAMED, ChatTemplate
from lab.config import SFTConfig
from lab.errors import DataError
from lab.events import RunReporter
from lab.run_dir import RunDir, read_jsonl
from lab.training import measured
from lab.vocabulary import extend_tokenizer
from lab.worker.around import finish, surroundings, trainee, usable_length


def work(run: RunDir, config: SFTConfig, report: RunReporter) -> None:
    """Fine-tune the run's model on its conversations."""
    parent = Path(run.about()["model_folder"])
    speaks, new_ids = tokenizer_of(run, config, parent)
    model, save = trainee(config, parent, config.lora, speaks, new_ids)
    template = ChatTemplate.from_folder(speaks)
    model.ends_at(template.end_ids)
    length = usable_length(config, model, report)
    rows = list(read_jsonl(run.data / "train.jsonl"))
    refused: list[str] = []
    examples = encode_conversations(rows, template, length, refused)
    too_long = len(rows) - len(examples) - len(refused)
    if not examples:
        raise nothing_to_learn(len(rows), length, refused)
    if refused:
        report.message(f"{len(refused)} of {len(rows)} conversations are left out. {refused[0]}")
    if too_long:
        report.message(f"{too_long} of {len(rows)} conversations have no reply within {length} tokens.")
    if template.note:
        report.message(template.note)
    heldout_rows = measured(list(read_jsonl(run.data / "heldout.jsonl")), config, config.batch_size)
    heldout = example_batches(encode_conversations(heldout_rows, template, length, refused), config.batch_size)
    conversations = [row["messages"] for row in heldout_rows or rows]
    prompts = chat_prompts(config.sample_prompts, conversations, template, length - 8)
    around = surroundings(run, config, report, save, prompts.answers)
    progress = page.train(model, examples, heldout, config, around)
    finish(run, around, model, progress.step)


def nothing_to_learn(rows: int, length: int, refused: list[str]) -> DataError:
    """Why no conversation of so many can be learned from."""
    if refused:
        return DataError(f"The model's chat template takes none of the {rows} conversations. {refused[0]}")
    return DataError(
        f"None of the {rows} conversations has a reply within its first {length} tokens: there is nothing to learn. "
        "Raise max_length, or take other conversations."
    )


def tokenizer_of(run: RunDir, config: SFTConfig, parent: Path) -> tuple[Path, list[int]]:
    """The folder of the tokenizer that the run uses, and the tokens in it that its model did not have."""
    if not config.chat_template and not config.new_tokens:
        return parent, []
    source, needed = NAMED.get(config.chat_template, (config.chat_template or None, ()))
    folder = run.path / "tokenizer"
    return folder, extend_tokenizer(parent, folder, [*needed, *config.new_tokens], source)
