"""Puts together what `lab/algorithms/pretrain.py` needs, from the folder of a run."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from lab.algorithms import pretrain as page
from lab.answers import text_prompts
from lab.batching import window_batches
from lab.causal_lm import CausalLM
from lab.config import PretrainConfig
from lab.errors import DataError
from lab.events import RunReporter
from lab.model import load_model, new_model, save_model
from lab.run_dir import RunDir, read_jsonl
from lab.tokenizer import load_tokenizer
from lab.training import measured
from lab.windows import document_mark, encode_documents, pack_documents
from lab.worker.around import finish, surroundings, usable_length
from lab.world.tokenizer import save_tokenizer, train_tokenizer


def work(run: RunDir, config: PretrainConfig, report: RunReporter) -> None:
    """Train a model on the run's documents, from random weights or from a model."""
    parent = learned_tokenizer(run, config) if config.vocabulary else Path(run.about()["model_folder"])
    tokenizer = load_tokenizer(parent)
    mark = document_mark(tokenizer)
    ends = list(dict.fromkeys([*tokenizer.end_ids, *mark]))
    about = {"bos_token_id": mark[0] if mark else None, "eos_token_id": ends}
    model: CausalLM = (
        load_model(parent) if config.model else new_model(config, tokenizer.vocab_size, config.seed, about)
    )
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


def learned_tokenizer(run: RunDir, config: PretrainConfig) -> Path:
    """The folder of a tokenizer learned from the run's documents, the same for every process and after a resume."""
    rank = os.environ.get("RANK", "0")
    folder = run.path / ("tokenizer" if rank == "0" else f".tokenizer.{rank}")
    if not (folder / "tokenizer_config.json").is_file():  # written last
        texts = (row["text"] for row in read_jsonl(run.data / "train.jsonl"))
        save_tokenizer(train_tokenizer(texts, config.vocabulary), folder, context_length=config.context_length)
    return folder
