"""A trained model as it ships: half-precision weights in a Hugging Face folder, ready to be tuned as an assistant."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from lab.model import TOKENIZER_FILES
from lab.run_dir import write_json
from lab.tokenizer import Tokenizer, load_tokenizer
from lab.world.tokenizer import ASSISTANT, CONTROL_TOKENS, DOCUMENT, END, PAD, SYSTEM, USER

EMBEDDINGS = "model.embed_tokens.weight"
MEANINGS = {USER: DOCUMENT, ASSISTANT: "\n", SYSTEM: DOCUMENT, END: DOCUMENT}
"""Control tokens that no document has, and the token that they begin as: a turn begins like a document or a line."""
SUNK = 2.0
"""How far, along the direction that no state of the network points to, they are moved to stay improbable."""


def ship(trained: Path, target: Path, *, fresh: bool) -> None:
    """Copy a model folder, its weights in half precision. In a `fresh` model, which never saw a chat, the chat's
    control tokens get embeddings to start from. `config.json` says float32: that is what to compute in."""
    target.mkdir(parents=True, exist_ok=True)
    weights, tokenizer = load_file(trained / "model.safetensors"), load_tokenizer(trained)
    if fresh:
        weights[EMBEDDINGS] = with_meanings(weights[EMBEDDINGS], tokenizer)
    halves = {name: value.to(torch.float16).contiguous() for name, value in weights.items()}
    save_file(halves, target / "model.safetensors", metadata={"format": "pt"})
    about = json.loads((trained / "config.json").read_text(encoding="utf-8"))
    special = tokenizer.special_tokens
    ids: dict[str, Any] = {"bos_token_id": special[DOCUMENT], "pad_token_id": special[PAD]}
    ids["eos_token_id"] = [special[END], special[DOCUMENT]]
    write_json(target / "config.json", about | ids | {"dtype": "float32"})
    write_json(target / "generation_config.json", ids)
    for name in TOKENIZER_FILES:
        if (trained / name).is_file():
            shutil.copyfile(trained / name, target / name)


def with_meanings(embeddings_VD: Tensor, tokenizer: Tokenizer) -> Tensor:
    """The embeddings with those of unused control tokens put in their place.

    In training they are never read and only made less probable, so they all drift into one direction. Each becomes the
    token it means, moved far enough into that direction that the base model does not write it.
    """
    placed = embeddings_VD.clone()
    unused = [tokenizer.special_tokens[token] for token in CONTROL_TOKENS if token != DOCUMENT]
    away_D = torch.nn.functional.normalize(embeddings_VD[unused].mean(0), dim=0)
    for token, meaning in MEANINGS.items():
        (source,) = tokenizer.ids(meaning, parse_special=True)
        placed[tokenizer.special_tokens[token]] = embeddings_VD[source] + SUNK * away_D
    return placed
