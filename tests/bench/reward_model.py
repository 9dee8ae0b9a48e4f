"""Training a reward model, tokens per second beside TRL's best settings, on one thread.

    python -m tests.bench.reward_model [--shapes 2M 10M] [--rounds 3] [--steps 8] [--save]

See `tests/bench/preferences.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from lab.algorithms import reward_model
from lab.config import RewardModelConfig
from lab.model import load_model
from lab.preference_batching import EncodedPair, rankings
from lab.scalar_head import with_scalar_head
from lab.tokenizer import load_tokenizer
from lab.training import TrainingRun
from tests.bench.preferences import Bench, main


def trainer(folder: Path, rows: Any, arguments: dict[str, Any], callbacks: list[Any]) -> Any:
    """TRL's trainer."""
    from transformers import LlamaForSequenceClassification, PreTrainedTokenizerFast
    from trl import RewardConfig, RewardTrainer

    return RewardTrainer(
        model=LlamaForSequenceClassification.from_pretrained(folder, dtype=torch.float32, num_labels=1),
        args=RewardConfig(center_rewards_coefficient=0.01, **arguments),
        train_dataset=rows,
        processing_class=PreTrainedTokenizerFast.from_pretrained(folder),
        callbacks=callbacks,
    )


def page(folder: Path, pairs: list[EncodedPair], config: RewardModelConfig, run: TrainingRun) -> None:
    """Our page, from the model in the folder."""
    model = with_scalar_head(load_model(folder), load_tokenizer(folder))
    reward_model.train(model, rankings(pairs), [], config, run)


BENCH = Bench("reward model", 1.3, RewardModelConfig, trainer, page)

if __name__ == "__main__":
    main(BENCH, __doc__)
