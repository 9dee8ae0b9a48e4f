"""DPO tokens per second beside TRL's best settings, on one thread.

    python -m tests.bench.dpo [--shapes 2M 10M] [--rounds 3] [--steps 8] [--save]

On both sides the reference's log-probabilities are worked out before the clock starts. See
`tests/bench/preferences.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from lab.algorithms import dpo
from lab.config import DPOConfig
from lab.model import load_model
from lab.preference_batching import EncodedPair
from lab.training import TrainingRun
from tests.bench.preferences import Bench, main


def trainer(folder: Path, rows: Any, arguments: dict[str, Any], callbacks: list[Any]) -> Any:
    """TRL's trainer, its reference worked out beforehand."""
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast
    from trl import DPOConfig as TRLConfig
    from trl import DPOTrainer

    return DPOTrainer(
        model=LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32),
        args=TRLConfig(precompute_ref_log_probs=True, **arguments),
        train_dataset=rows,
        processing_class=PreTrainedTokenizerFast.from_pretrained(folder),
        callbacks=callbacks,
    )


def page(folder: Path, pairs: list[EncodedPair], config: DPOConfig, run: TrainingRun) -> None:
    """Our page, from the model in the folder."""
    dpo.train(load_model(folder), pairs, [], config, run)


BENCH = Bench("dpo", 1.5, DPOConfig, trainer, page)

if __name__ == "__main__":
    main(BENCH, __doc__)
