"""Puts together what `lab/algorithms/dpo.py` needs, from the folder of a run."""

from __future__ import annotations

from pathlib import Path

from lab.algorithms import dpo as page
from lab.answers import chat_prompts
from lab.chat_template import ChatTemplate
from lab.config import DPOConfig
from lab.events import RunReporter
from lab.run_dir import RunDir
from lab.training import without_dropout
from lab.worker.around import finish, surroundings, trainee, usable_length
from lab.worker.labels import labels


def work(run: RunDir, config: DPOConfig, report: RunReporter) -> None:
    """Train the run's model on its preference pairs."""
    parent = Path(run.about()["model_folder"])
    model, save = trainee(config, parent, config.lora)
    without_dropout(model)
    template = ChatTemplate.from_folder(parent)
    length = usable_length(config, model, report)
    pairs, heldout, rows = labels(run, template, length, report, ties=False)
    conversations = [[*row["prompt"], {"role": "assistant", "content": row["chosen"]}] for row in rows]
    prompts = chat_prompts(config.sample_prompts, conversations, template, length - 8)
    around = surroundings(run, config, report, save, prompts.answers)
    progress = page.train(model, pairs, heldout, config, around)
    finish(run, around, model, progress.step)
