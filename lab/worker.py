"""The training process: reads the folder of a run, trains, and says how it ended.

    python -m lab.worker <folder of a run>

run.json gives `model_folder` (the model to start from; for a new model, whose tokenizer it uses), `attempt` and
`resume`; config.json the settings; data/*.jsonl what to learn from. This is the one place where an exception becomes a
`failed` event. Several processes are started by `accelerate launch`; rank 0 speaks.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import DataError, LabError
from lab.events import FileSink, RunReporter, last_event, null_reporter
from lab.file_lock import FileLock
from lab.run_dir import RunDir, read_jsonl

if TYPE_CHECKING:
    from torch import nn

    from lab.causal_lm import CausalLM
    from lab.config import PretrainConfig, SFTConfig, TrainingConfig
    from lab.training import Answers, TrainingRun


def main(folder: str) -> int:
    """Run the run in `folder`; gives the exit code. Only one worker at a time holds a run."""
    run = RunDir(Path(folder).resolve())
    if os.environ.get("RANK", "0") != "0":
        work(run, null_reporter())
        return 0
    lock = FileLock(run.lock)
    if not lock.acquire(timeout=5):
        print(f"Another process already works on {run.path}.", file=sys.stderr)
        return 1
    report = RunReporter(FileSink(run.events, run.about().get("attempt", 1)))
    try:
        work(run, report)
    except BaseException as error:
        traceback.print_exc()
        said, advice = explain(error)
        last = last_event(run.events, {"metrics"})
        report.failed(last.fields["step"] if last else 0, said, advice, traceback.format_exc())
        return 1
    return 0


def work(run: RunDir, report: RunReporter) -> None:
    """Train as the run's settings say, and leave the result in its `model` folder."""
    from lab.config import PretrainConfig

    config = run.config()
    keep_freed_memory()
    train = pretrain if isinstance(config, PretrainConfig) else sft
    train(run, config, report)  # type: ignore[arg-type]


def sft(run: RunDir, config: SFTConfig, report: RunReporter) -> None:
    """Fine-tune the run's model on its conversations."""
    from lab.algorithms import sft as page
    from lab.answers import chat_prompts
    from lab.batching import encode_conversations, example_batches
    from lab.chat_template import ChatTemplate
    from lab.model import adapt, load_model, save_adapted, save_model
    from lab.training import measured

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


def pretrain(run: RunDir, config: PretrainConfig, report: RunReporter) -> None:
    """Train a model on the run's documents, from random weights or from a model."""
    from lab.algorithms import pretrain as page
    from lab.answers import text_prompts
    from lab.batching import document_mark, encode_documents, pack_documents, window_batches
    from lab.model import load_model, new_model, save_model
    from lab.tokenizer import load_tokenizer
    from lab.training import measured

    parent = Path(run.about()["model_folder"])
    tokenizer = load_tokenizer(parent)
    mark = document_mark(tokenizer)
    ends = list(dict.fromkeys([*tokenizer.end_ids, *mark]))
    about = {"bos_token_id": mark[0] if mark else None, "eos_token_id": ends}
    model: CausalLM
    model = load_model(parent) if config.model else new_model(config, tokenizer.vocab_size, config.seed, about)
    length = usable_length(config, model, report)
    texts = (row["text"] for row in read_jsonl(run.data / "train.jsonl"))
    windows = pack_documents(encode_documents(texts, tokenizer), length)
    if not len(windows):
        raise DataError("There are no documents to learn from. Choose a dataset with some text.")
    tokens_each = len(windows.ids) / max(1, len(windows.starts) - 1)
    heldout_texts = [row["text"] for row in read_jsonl(run.data / "heldout.jsonl")]
    heldout_texts = measured(heldout_texts, config, config.batch_size * length / tokens_each)
    heldout = window_batches(pack_documents(encode_documents(heldout_texts, tokenizer), length), config.batch_size)
    size = sum(len(text.encode("utf-8", "replace")) for text in heldout_texts)
    prompts = text_prompts(config.sample_prompts, heldout_texts, tokenizer, mark)
    around = surroundings(run, config, report, partial(save_model, tokenizer_from=parent), prompts.answers)
    progress = page.train(model, windows, heldout, size, config, around)
    finish(run, around, model, progress.step)


def usable_length(config: TrainingConfig, model: CausalLM, report: RunReporter) -> int:
    """The longest sequence to train on: what the settings say, if the model has positions for so much."""
    if config.max_length > model.context_length:
        report.message(f"max_length is {config.max_length}; this model reads {model.context_length} tokens at most.")
    return min(config.max_length, model.context_length)


def surroundings(
    run: RunDir,
    config: SFTConfig | PretrainConfig,
    report: RunReporter,
    save: Callable[..., None],
    answers: Answers,
) -> TrainingRun:
    """What a page has around it, for a run in a folder."""
    from lab.checkpoint import Checkpoints
    from lab.training import TrainingRun, make_accelerator

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


# --- when something goes wrong -------------------------------------------------------------------------------------


def explain(error: BaseException) -> tuple[str, str]:
    """What happened, and what to try, in sentences for a person."""
    text = str(error)
    if notes := getattr(error, "__notes__", None):
        return text, " ".join(notes)
    if isinstance(error, LabError):
        return text, ""
    if is_out_of_memory(error):
        return (
            "There is not enough memory for this run.",
            "Lower max_length or batch_size, or raise gradient_accumulation: the same step in smaller parts. "
            "LoRA needs less memory than full fine-tuning.",
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk is full.", "Make room, then continue the run: it goes on from its last checkpoint."
    if isinstance(error, KeyboardInterrupt):
        return "The training process was interrupted.", "Continue the run: it goes on from its last checkpoint."
    return f"{type(error).__name__}: {text}", "This is not something you did. The log has the details for a report."


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the system had no more memory: Python, torch on the CPU, and torch on a GPU each say it their way."""
    signs = ("can't allocate memory", "out of memory", "bad_alloc", "Cannot allocate memory")
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, (RuntimeError, OSError)) and any(sign in str(error) for sign in signs))
    )


def keep_freed_memory() -> None:
    """Have glibc keep freed memory for the next step instead of giving it back page by page: about 5 % faster."""
    if sys.platform != "linux":
        return
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    m_trim_threshold, m_mmap_threshold = -1, -3
    mallopt(m_mmap_threshold, 1 << 30)
    mallopt(m_trim_threshold, (1 << 31) - 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[-1]))
