"""Reward models: a language model with a head that gives one number, the reward, for a whole conversation.

A folder of one is what transformers calls a model for sequence classification with one label: of our network a
`LlamaForSequenceClassification`, of others the class of that name of their architecture. The reward is read at the last
token. With LoRA it is peft's folder for SEQ_CLS, whose parent is the language model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lab.adapters import SCORE, WEIGHTS, add_adapters, merge_adapters, save_adapters
from lab.causal_lm import CausalLM, PackedBatch
from lab.chat_template import ChatTemplate
from lab.config import LoRAConfig
from lab.errors import ModelError
from lab.model import copy_tokenizer, fill, load_model, parent_of, read_about, read_weights
from lab.model_folder import is_adapter, is_reward_model
from lab.preference_batching import pack_whole
from lab.rewards import Reward, Sample, Score
from lab.run_dir import write_json
from lab.tokenizer import Tokenizer, load_tokenizer
from lab.transformer import Transformer, TransformerConfig, unsupported
from lab.transformers_model import TransformersModel
from lab.transformers_reward import TransformersReward

OURS = "LlamaForSequenceClassification"
SCORED_AT_ONCE = 32
"""Conversations in one batch when a model is asked."""


class RewardModel(nn.Module):
    """A network of ours (`body`) with a head beside it, or one of transformers that has its own."""

    def __init__(self, body: Transformer | TransformersReward) -> None:
        super().__init__()
        self.body = body
        if isinstance(body, Transformer):
            self.score = nn.Linear(body.config.hidden_size, 1, bias=False)
            nn.init.zeros_(self.score.weight)

    @property
    def context_length(self) -> int:
        """Longest conversation it has positions for, in tokens."""
        return self.body.context_length

    def forward(self, batch: PackedBatch) -> Tensor:
        """The reward (L) at each of the rows `rows_L`: with `pack_whole`, of each text."""
        if isinstance(self.body, Transformer):
            return self.score(self.body.states(batch)).squeeze(-1)
        return self.body.rewards(batch)


def with_scalar_head(model: CausalLM, tokenizer: Tokenizer) -> RewardModel:
    """A language model with a new head in place of its own, whose rewards are all 0."""
    if isinstance(model, Transformer):
        if not model.config.tied:
            del model.lm_head
            model.config = replace(model.config, tied=True)  # no head of its own any more
        return RewardModel(model)
    if isinstance(model, TransformersModel):
        return RewardModel(TransformersReward.of(model, pad_id(tokenizer)))
    raise TypeError(f"a {type(model).__name__} cannot have a scalar head")


def pad_id(tokenizer: Tokenizer) -> int | None:
    """The token that other programs pad with: they read the reward at the last token that is not this one."""
    named, special = tokenizer.named_tokens, tokenizer.special_tokens
    return special.get(named.get("pad_token", "")) if named.get("pad_token") != named.get("eos_token") else None


def adapt_reward_model(model: RewardModel, config: LoRAConfig, seed: int) -> None:
    """Freeze the network and put new adapters beside its matrices: only they and the head are trained."""
    if isinstance(model.body, Transformer):
        add_adapters(model.body, config, seed)
    else:
        model.body.add_adapters(config, seed)


# --- folders ---


def load_reward_model(folder: Path | str, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> RewardModel:
    """The reward model in a folder. Adapters are merged into their parent. Raises `ModelError` when it is none."""
    folder = Path(folder)
    if not is_reward_model(folder):
        raise ModelError(f"{folder} holds a model that writes text, not a reward model. Train one from preferences.")
    return _load(folder, dtype).to(device=device, dtype=dtype).eval()


def _load(folder: Path, dtype: torch.dtype) -> RewardModel:
    if is_adapter(folder):
        parent = parent_of(folder)
        model = with_scalar_head(load_model(parent, dtype=dtype), load_tokenizer(folder))
        if isinstance(model.body, Transformer):
            merge_adapters(model.body, folder)
            model.score.weight.data = load_file(folder / WEIGHTS)[SCORE]
        else:
            model.body.merge_adapters(folder)
        return model
    about = read_about(folder)
    if unsupported(about) or about["architectures"] != [OURS]:
        return RewardModel(TransformersReward.load(folder, dtype))
    if about.get("num_labels", 1) != 1 or len(about.get("id2label", {0: ""})) != 1:
        raise ModelError(f"{folder} is a classifier of several classes, not a reward model.")
    weights = read_weights(folder)
    score = weights.pop("score.weight", None)
    if score is None:
        raise ModelError(f"The weights in {folder} have no head (score.weight): it is not a whole reward model.")
    model = RewardModel(Transformer(replace(TransformerConfig.from_json(about), tied=True), about=about))
    fill(model.body, weights, folder)  # type: ignore[arg-type]
    model.score.weight.data = score
    return model


def save_reward_model(model: RewardModel, folder: Path | str, tokenizer_from: Path) -> None:
    """Write a reward model as a Hugging Face folder for sequence classification, with the tokenizer it reads by."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(model.body, Transformer):
        pad = pad_id(load_tokenizer(tokenizer_from))
        about = model.body.about | model.body.config.to_json() | {"architectures": [OURS], "id2label": {"0": "reward"}}
        write_json(folder / "config.json", about | {"label2id": {"reward": 0}, "pad_token_id": pad})
        named = {**model.body.state_dict(), "score.weight": model.score.weight}
        weights = {name: value.detach().cpu().contiguous() for name, value in named.items()}
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    else:
        model.body.save(folder)
    copy_tokenizer(tokenizer_from, folder)


def save_adapted_reward_model(model: RewardModel, folder: Path | str, parent: Path, config: LoRAConfig) -> None:
    """Write the adapters and the head of a reward model as a peft folder, with the tokenizer of its parent."""
    folder = Path(folder)
    if isinstance(model.body, Transformer):
        save_adapters(model.body, folder, parent, config, model.score.weight)
    else:
        model.body.save_adapters(folder, parent)
    copy_tokenizer(parent, folder)


# --- asking ---


def reward_of(folder: Path | str, device: str = "cpu") -> Reward:
    """The reward model in a folder as a reward like any other: it reads each sample's prompt and completion."""
    model, template = load_reward_model(folder, device=device), ChatTemplate.from_folder(folder)

    def judge(samples: Sequence[Sample]) -> list[Score]:
        names = ("user", "assistant")
        texts = [(sample.prompt, sample.completion) for sample in samples]
        asked = [[{"role": r, "content": text} for r, text in zip(names, pair)] for pair in texts]
        return [Score(value) for value in rewards(model, template, asked)]

    return judge


def rewards(
    model: RewardModel, template: ChatTemplate, conversations: Sequence[Sequence[Mapping[str, Any]]]
) -> list[float]:
    """The reward of each conversation (messages, the assistant's reply last)."""
    return rewards_of_ids(model, [template.encode(messages).ids for messages in conversations])


@torch.no_grad()
def rewards_of_ids(model: RewardModel, ids: Sequence[Sequence[int]]) -> list[float]:
    """The reward of each text, given as tokens. What is longer than the model reads is scored where it is cut."""
    ids = [text[: model.context_length] for text in ids]
    order = sorted(range(len(ids)), key=lambda number: len(ids[number]))
    device = next(model.parameters()).device
    found = [0.0] * len(ids)
    for start in range(0, len(order), SCORED_AT_ONCE):
        part = order[start : start + SCORED_AT_ONCE]
        values = model(pack_whole([ids[number] for number in part]).to(device))
        for number, value in zip(part, values.tolist(), strict=True):
            found[number] = value
    return found
