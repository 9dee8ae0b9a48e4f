"""What a model's folder says about itself, read without torch: configs and the headers of safetensors files."""

from __future__ import annotations

import importlib.util
import json
import math
import re
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from lab.errors import ModelError

LONGEST_HEADER = 100 << 20
"""Bytes; the safetensors library refuses longer ones too."""
DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I8": "int8", "U8": "uint8"}

CLASSIFIER = "ForSequenceClassification"
"""How the architectures of reward models end: with one label they give a number."""
CAUSAL = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
"""How the architectures end that continue a text. The last is of models that see pictures too: they may load."""


@dataclass(frozen=True)
class Weights:
    """What the headers of a folder's safetensors files add up to."""

    parameters: int
    bytes: int
    dtype: str


def require_model(folder: Path, reference: str) -> None:
    """Raises `ModelError` unless the folder holds a model, or an adapter, with weights as safetensors."""
    if not folder.is_dir():
        raise ModelError(f"{reference}: there is no folder {folder}.")
    if not is_adapter(folder) and not (folder / "config.json").is_file():
        raise ModelError(f"{reference}: {folder} has no config.json, so it is not the folder of a model.")
    if not weight_files(folder):
        if any(folder.glob("*.bin")) or any(folder.glob("*.pt")):
            raise ModelError(
                f"{reference}: its weights are a pickle, which can run code when it is opened. Nudge reads safetensors "
                "only: look for a safetensors version, or convert it where you trust it."
            )
        raise ModelError(f"{reference}: {folder} has no weights (*.safetensors).")
    for name in set(read_json(folder / "model.safetensors.index.json").get("weight_map", {}).values()):
        if not (folder / str(name)).is_file():
            raise ModelError(f"{reference}: {name} is missing from {folder}. Was it only partly copied or downloaded?")


def require_causal(config: dict[str, Any], reference: str) -> None:
    """Raises `ModelError` when a config.json is not of a model that continues text, or needs code of its own."""
    kind, made_of = str(config.get("model_type", "")), [str(name) for name in config.get("architectures") or []]
    if config.get("auto_map") and kind not in known_kinds():
        raise ModelError(
            f"{reference} needs Python code of its own (its config.json has an auto_map, and transformers does not "
            f"know {kind!r}). Code that comes with a model is not run here. Take a model that transformers knows."
        )
    if _gives_one_number(config):
        return
    if config.get("is_encoder_decoder") or (made_of and not any(name.endswith(CAUSAL) for name in made_of)):
        raise ModelError(
            f"{reference} is a {made_of[0] if made_of else kind}: not a causal language model, which continues a text. "
            "Take one whose config.json names an architecture that ends in ForCausalLM."
        )


@lru_cache(maxsize=1)
def known_kinds() -> frozenset[str]:
    """The model types that the installed transformers has code for, without importing it."""
    spec = importlib.util.find_spec("transformers")
    places = list(spec.submodule_search_locations or []) if spec else []
    files = [file for place in places for file in (Path(place) / "models" / "auto").glob("*auto*.py")]
    return frozenset(kind for file in files for kind in re.findall(r'"([\w.-]+)"', file.read_text(encoding="utf-8")))


def is_adapter(folder: Path) -> bool:
    """Whether the folder holds adapters for another model."""
    return (folder / "adapter_config.json").is_file()


def is_reward_model(folder: Path) -> bool:
    """Whether the folder's model gives a number for a conversation instead of going on with it: transformers' models
    for sequence classification, and adapters for one."""
    if is_adapter(folder):
        return read_json(folder / "adapter_config.json").get("task_type") == "SEQ_CLS"
    architectures = read_json(folder / "config.json").get("architectures") or []
    return any(str(name).endswith(CLASSIFIER) for name in architectures)


def _gives_one_number(config: dict[str, Any]) -> bool:
    """Whether a config.json is of a model for sequence classification with a single label. (Two need no id2label.)"""
    names = config.get("architectures") or []
    return any(str(name).endswith(CLASSIFIER) for name in names) and len(config.get("id2label") or (0, 1)) == 1


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a model or of an adapter."""
    names = "adapter_model*.safetensors" if is_adapter(folder) else "*.safetensors"
    return sorted(folder.glob(names))


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object from a file; empty when there is no such file. Raises `ModelError` for a broken one."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ModelError(f"{file} cannot be read: {error}.") from error
    if not isinstance(values, dict):
        raise ModelError(f"{file} does not hold a JSON object.")
    return values


def adapter_base(folder: Path) -> str:
    """What an adapter stands on: a folder or a Hub id, as it says. Raises `ModelError` when it does not say."""
    base = read_json(folder / "adapter_config.json").get("base_model_name_or_path")
    if not base:
        raise ModelError(f"{folder}/adapter_config.json does not say which model it stands on.")
    return str(base)


def weights(folder: Path) -> Weights:
    """Parameters, bytes and kind of number of a folder's weights. Raises `ModelError` for a broken file."""
    total, kinds = 0, dict[str, int]()
    for _, kind, count in tensors(folder):
        total += count
        kinds[kind] = kinds.get(kind, 0) + count
    size = sum(file.stat().st_size for file in weight_files(folder))
    kind = max(kinds, key=lambda name: kinds[name], default="")
    return Weights(total, size, DTYPES.get(kind, kind.lower()))


def tensors(folder: Path) -> list[tuple[str, str, int]]:
    """(name, kind of number, how many) of every tensor of a model. Raises `ModelError` for a broken file."""
    found: list[tuple[str, str, int]] = []
    for file in weight_files(folder):
        about = file.stat()
        found += _tensors(file, about.st_mtime_ns, about.st_size)
    return found


@lru_cache(maxsize=4096)
def _tensors(file: Path, changed: int, size: int) -> tuple[tuple[str, str, int], ...]:
    """The tensors of one file; read again only when it has changed."""
    try:
        with file.open("rb") as opened:
            (length,) = struct.unpack("<Q", opened.read(8))
            if length > min(LONGEST_HEADER, size):
                raise ValueError(f"its header would be {length} bytes long")
            header = json.loads(opened.read(length))
        header.pop("__metadata__", None)
        return tuple((name, about["dtype"], math.prod(about["shape"])) for name, about in header.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise ModelError(f"{file} is not a whole safetensors file: {error}.") from error


def has_chat_template(folder: Path) -> bool:
    """Whether the folder's tokenizer brings a chat template."""
    if (folder / "chat_template.jinja").is_file():
        return True
    return bool(read_json(folder / "tokenizer_config.json").get("chat_template"))


def context_length(config: dict[str, Any]) -> int:
    """The longest text a model has positions for; 0 when its config does not say."""
    inner = config.get("text_config") or {}
    for name in ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length"):
        for place in (config, inner):
            if isinstance(place.get(name), int):
                return place[name]
    return 0
