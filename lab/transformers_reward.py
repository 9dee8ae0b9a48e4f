"""Reward models of the transformers library: any causal language model with a head that gives one number.

Importing transformers takes seconds, so nothing here is imported until such a model is loaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from lab.causal_lm import PackedBatch
from lab.errors import ModelError
from lab.transformers_model import TransformersModel


class TransformersReward(TransformersModel):
    """A network for sequence classification with one label, as `network`."""

    task = "SEQ_CLS"
    auto_class = "AutoModelForSequenceClassification"

    @classmethod
    def of(cls, model: TransformersModel, pad_id: int | None) -> Self:
        """The network of a language model with a new head in place of its own. Raises `ModelError` for an architecture
        of which transformers has no such class."""
        from transformers import AutoModelForSequenceClassification

        config = model.network.config
        config.num_labels, config.pad_token_id = 1, pad_id
        try:
            with torch.device("meta"):
                network = AutoModelForSequenceClassification.from_config(config)
        except ValueError as error:
            raise ModelError(f"transformers has no {config.model_type} with a scalar head.") from error
        prefix = network.base_model_prefix
        setattr(network, prefix, getattr(model.network, prefix))
        network.score = nn.Linear(config.get_text_config().hidden_size, 1, bias=False)
        nn.init.zeros_(network.score.weight)
        network.config.architectures = [type(network).__name__]
        return cls(network)

    @classmethod
    def load(cls, folder: Path, dtype: torch.dtype) -> Self:
        """The network in a folder. Raises `ModelError` when transformers cannot load it, or it has several numbers."""
        model = cls._from_pretrained(folder, dtype=dtype)
        if not hasattr(model.network, "score"):
            raise ModelError(
                f"{folder} is a {type(model.network).__name__}, which reads in both directions: no reward."
            )
        if (labels := model.network.config.num_labels) != 1:
            raise ModelError(f"{folder} is a classifier of {labels} classes, not a reward model.")
        return model

    def rewards(self, batch: PackedBatch) -> Tensor:
        """The reward (L) at each of the rows `rows_L`."""
        ids_BT, mask_BT, place_N = batch.padded()
        place_L = place_N if batch.rows_L is None else place_N[batch.rows_L]
        body = getattr(self.network, self.network.base_model_prefix)
        states_BTD = body(input_ids=ids_BT, attention_mask=mask_BT, use_cache=False).last_hidden_state
        return self.network.score(states_BTD.flatten(0, 1)[place_L]).squeeze(-1).float()
