"""Models as folders: load and save any causal language model.

A folder is a Hugging Face folder (config.json, model.safetensors, tokenizer files), or an adapter folder
(adapter_config.json), whose parent may be an adapter folder too. Networks that `lab/transformer.py` describes run on
it; every other architecture runs through transformers. Weights are read from safetensors only.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from lab.adapters import add_adapters, merge_adapters, read_adapter_config, save_adapters
from lab.causal_lm import CausalLM
from lab.config import LoRAConfig, PretrainConfig
from lab.errors import ConfigError, ModelError
from lab.model_folder import is_adapter, is_reward_model
from lab.run_dir import write_json
from lab.token_rows import trained_tokens
from lab.transformer import Transformer, TransformerConfig, unsupported
from lab.transformers_model import TransformersModel

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
)
"""What makes up a tokenizer in a model folder; copied from the parent to the result of a run."""


def load_model(folder: Path | str, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> CausalLM:
    """The model in a folder, ready to use: on our own network when it is of its kind, else through transformers.
    Adapters are merged into their parent. Raises `ModelError` with what is missing."""
    return _load(Path(folder), dtype).to(device=device, dtype=dtype)


def load_quantized(folder: Path, device: str = "auto") -> CausalLM:
    """The model in a folder with its matrices in 4 bits, to put adapters beside (QLoRA). Raises `ConfigError` where
    there is no NVIDIA GPU or no bitsandbytes, and `ModelError` for adapters, which cannot be merged so."""
    if not torch.cuda.is_available() or device not in ("auto", "cuda"):
        raise ConfigError(
            "quantize is '4bit', which needs an NVIDIA GPU. Without one, take 'no': LoRA alone already needs much less "
            "memory than training all weights.",
            "quantize",
        )
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ConfigError("quantize is '4bit', which needs bitsandbytes: pip install 'nudge-lab[qlora]'.", "quantize")
    if is_adapter(folder):
        raise ModelError(
            f"{folder} holds adapters; weights in 4 bits must be of a whole model. Export it with the adapter merged "
            "and start from that folder."
        )
    require_safetensors(folder)
    return TransformersModel.load_in_4_bits(folder)


def _load(folder: Path, dtype: torch.dtype) -> CausalLM:
    if is_reward_model(folder):
        raise ModelError(f"{folder} holds a reward model: it gives a number for a conversation and writes nothing.")
    if is_adapter(folder):
        parent = _load(parent_of(folder), dtype)
        if new_ids := trained_tokens(read_adapter_config(folder)):
            parent.grow(new_ids)
        if isinstance(parent, Transformer):
            merge_adapters(parent, folder)
        elif isinstance(parent, TransformersModel):
            parent.merge_adapters(folder)
        return parent
    about = read_about(folder)
    if unsupported(about):
        require_safetensors(folder)
        return TransformersModel.load(folder, dtype)
    model = Transformer(TransformerConfig.from_json(about), about=about)
    fill(model, read_weights(folder), folder)
    return model


def new_model(config: PretrainConfig, vocab_size: int, seed: int, about: dict[str, Any] | None = None) -> Transformer:
    """A network with random weights of the shape in `config`. `about` adds to its config.json (special tokens)."""
    shape = TransformerConfig(
        vocab_size=vocab_size,
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
        layers=config.layers,
        heads=config.heads,
        kv_heads=config.heads,
        head_size=config.hidden_size // config.heads,
        context_length=config.context_length,
    )
    model = Transformer(shape, about=about)
    model.initialise(seed)
    return model


def adapt(model: CausalLM, config: LoRAConfig, seed: int, new_ids: Sequence[int] = ()) -> None:
    """Freeze a model and put new adapters beside its matrices: from now on only they are trained, and the rows of the
    tokens `new_ids`, if any."""
    if isinstance(model, TransformersModel):
        model.add_adapters(config, seed, new_ids)
    elif isinstance(model, Transformer):
        add_adapters(model, config, seed, new_ids)


def save_model(model: CausalLM, folder: Path | str, tokenizer_from: Path | str | None = None) -> None:
    """Write a model as a Hugging Face folder; its tokenizer is copied from `tokenizer_from`."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(model, TransformersModel):
        model.save(folder)
    elif isinstance(model, Transformer):
        write_json(folder / "config.json", model.about | model.config.to_json())
        if model.end_ids:
            write_json(folder / "generation_config.json", {"eos_token_id": list(model.end_ids)})
        weights = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    if tokenizer_from is not None:
        copy_tokenizer(Path(tokenizer_from), folder)


def save_adapted(
    model: CausalLM, folder: Path | str, parent: Path, config: LoRAConfig, tokenizer_from: Path | None = None
) -> None:
    """Write the adapters of a model as a peft folder, with a tokenizer (None: that of their parent)."""
    folder = Path(folder)
    if isinstance(model, TransformersModel):
        model.save_adapters(folder, parent)
    elif isinstance(model, Transformer):
        save_adapters(model, folder, parent, config)
    copy_tokenizer(tokenizer_from or parent, folder)


def copy_tokenizer(source: Path, folder: Path) -> None:
    """Copy the files that make up a tokenizer from one model folder to another."""
    for name in TOKENIZER_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)


# --- reading a folder ---


def parent_of(folder: Path) -> Path:
    """The folder of the model that adapters stand on. Raises `ModelError` when it is gone."""
    parent = Path(read_adapter_config(folder)["base_model_name_or_path"])
    if not parent.is_dir():
        raise ModelError(f"{folder} holds adapters for the model in {parent}, which is not there any more.")
    return parent


def read_about(folder: Path) -> dict[str, Any]:
    """config.json of a model folder, with the end tokens of generation_config.json. Raises `ModelError`."""
    try:
        about = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"{folder} is not the folder of a model: it has no config.json.") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder / 'config.json'} cannot be read: {error}.") from error
    generation = folder / "generation_config.json"
    if generation.is_file():
        ends = json.loads(generation.read_text(encoding="utf-8")).get("eos_token_id")
        about |= {} if ends is None else {"eos_token_id": ends}
    return about


def require_safetensors(folder: Path) -> list[Path]:
    """The files with a folder's weights. Raises `ModelError` when there are none."""
    if files := sorted(folder.glob("model*.safetensors")):
        return files
    found = ", ".join(sorted(path.name for path in folder.iterdir())) or "nothing"
    raise ModelError(
        f"{folder} has no model.safetensors (it has: {found}). Weights in other formats are not read: "
        "save the model again with transformers' `save_pretrained`."
    )


def read_weights(folder: Path) -> dict[str, Tensor]:
    """All tensors of a folder, from one file or several. Raises `ModelError` when there are none or they are broken."""
    weights: dict[str, Tensor] = {}
    for file in require_safetensors(folder):
        try:
            weights |= load_file(file)
        except (SafetensorError, OSError) as error:
            raise ModelError(f"{file} cannot be read: {error}. Is it a complete copy?") from error
    return weights


def fill(model: Transformer, weights: dict[str, Tensor], folder: Path) -> None:
    """Put weights into a network, exactly: a missing, surplus or misshaped one is a `ModelError`."""
    if model.config.tied:
        weights.pop("lm_head.weight", None)
    expected = model.state_dict()
    missing, surplus = expected.keys() - weights.keys(), weights.keys() - expected.keys()
    wrong = [name for name in expected.keys() & weights.keys() if expected[name].shape != weights[name].shape]
    if missing or surplus or wrong:
        problems = {"missing": missing, "not part of it": surplus, "of another shape": wrong}
        listed = "; ".join(f"{what}: {', '.join(sorted(names)[:3])}" for what, names in problems.items() if names)
        raise ModelError(f"The weights in {folder} do not fit its config.json: {listed}.")
    model.load_state_dict(weights)
