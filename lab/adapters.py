"""Low-rank adapters (LoRA, Hu et al. 2021, arXiv:2106.09685) on our own network, stored as peft stores them.

adapter_config.json            what peft writes; base_model_name_or_path is the folder of the parent
adapter_model.safetensors      base_model.model.<name of the matrix>.lora_A.weight and .lora_B.weight
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lab import ops
from lab.config import LoRAConfig
from lab.errors import ConfigError, ModelError
from lab.linear import Adapter, Linear
from lab.run_dir import write_json
from lab.token_rows import ROWS, TokenRows, trained_tokens
from lab.transformer import Transformer

LINEAR_LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""What is adapted when the settings name nothing: all matrices but the head."""

_PREFIX = "base_model.model."
SCORE = _PREFIX + "score.weight"
"""The head of a reward model, in a folder of adapters."""
_CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def linears(model: Transformer) -> dict[str, Linear]:
    """The matrices that can have an adapter, by their names."""
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, Linear) and name.rpartition(".")[2] in LINEAR_LAYERS
    }


def add_adapters(model: Transformer, config: LoRAConfig, seed: int, new_ids: Sequence[int] = ()) -> None:
    """Freeze a network and put new adapters beside its matrices; they change nothing until they are trained. The rows
    of `new_ids` are trained too."""
    targets = config.target_modules or LINEAR_LAYERS
    if unknown := set(targets) - set(LINEAR_LAYERS):
        raise ConfigError(
            f"target_modules names {', '.join(sorted(unknown))}; this network has: {', '.join(LINEAR_LAYERS)}.",
            "target_modules",
        )
    model.requires_grad_(False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name, linear in linears(model).items():
            if name.rpartition(".")[2] in targets:
                outputs, inputs = linear.weight.shape
                linear.adapter = Adapter(inputs, outputs, config).to(linear.weight.device)
    if new_ids:
        model.embedding_rows = TokenRows(model.model.embed_tokens.weight, new_ids)
        model.head_rows = None if model.config.tied else TokenRows(model.lm_head.weight, new_ids)


def _rows(model: Transformer) -> dict[str, TokenRows]:
    """The rows of new tokens that are trained, by the names of the matrices they belong to."""
    found = {"model.embed_tokens": model.embedding_rows, "lm_head": model.head_rows}
    return {name: rows for name, rows in found.items() if rows is not None}


def save_adapters(
    model: Transformer, folder: Path, parent: Path, config: LoRAConfig, score: Tensor | None = None
) -> None:
    """Write a network's adapters as peft does. `parent` is the folder of the model that they were trained on; `score`
    is the head that a reward model has beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        _PREFIX + name.replace(".adapter.", "."): value.detach().cpu().contiguous()
        for name, value in model.state_dict().items()
        if ".adapter." in name
    }
    rows = _rows(model)
    tensors |= {_PREFIX + name + ROWS: part.rows.detach().cpu().contiguous() for name, part in rows.items()}
    if score is not None:
        tensors[SCORE] = score.detach().cpu().contiguous()
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    write_json(
        folder / _CONFIG,
        {
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM" if score is None else "SEQ_CLS",
            "modules_to_save": None if score is None else ["score"],
            "base_model_name_or_path": str(parent.resolve()),
            "r": config.r,
            "lora_alpha": config.alpha,
            "lora_dropout": config.dropout,
            "target_modules": list(config.target_modules or LINEAR_LAYERS),
            "bias": "none",
            "fan_in_fan_out": False,
            "inference_mode": True,
            "init_lora_weights": True,
            **_about_rows(rows),
        },
    )


def _about_rows(rows: dict[str, TokenRows]) -> dict[str, Any]:
    named = {name.rpartition(".")[2]: part.ids.tolist() for name, part in rows.items()}
    return {"trainable_token_indices": named} if named else {}


def merge_adapters(model: Transformer, folder: Path) -> None:
    """Add the adapters in a folder to the matrices they are for. Raises `ModelError` for what cannot be merged."""
    about = read_adapter_config(folder)
    _require_plain(about, folder)
    scale = float(about["lora_alpha"]) / (about["r"] ** 0.5 if about.get("use_rslora") else about["r"])
    try:
        tensors = load_file(folder / WEIGHTS)
    except Exception as error:
        raise ModelError(f"{folder / WEIGHTS} cannot be read: {error}. Is it a complete copy?") from error
    found: dict[str, dict[str, Tensor]] = {}
    tensors.pop(SCORE, None)
    tensors = _merge_rows(model, tensors, trained_tokens(about))
    for name, tensor in tensors.items():
        matrix, _, which = name.removeprefix(_PREFIX).removesuffix(".weight").rpartition(".")
        found.setdefault(matrix, {})[which] = tensor.float()
    known = linears(model)
    for matrix, pair in found.items():
        if matrix not in known or pair.keys() != {"lora_A", "lora_B"}:
            raise ModelError(
                f"{folder} changes {matrix} ({', '.join(sorted(pair))}), which this network does not have."
            )
        weight = known[matrix].weight
        if pair["lora_B"].shape[0] != weight.shape[0] or pair["lora_A"].shape[1] != weight.shape[1]:
            raise ModelError(f"The adapter in {folder} is for a model of another size: {matrix} does not fit.")
        weight.data = ops.merged(weight.data, pair["lora_A"], pair["lora_B"], scale)


def _merge_rows(model: Transformer, tensors: dict[str, Tensor], ids: list[int]) -> dict[str, Tensor]:
    """Put the rows of new tokens into the matrices they are for; gives the tensors that are left."""
    matrices = {"model.embed_tokens": model.model.embed_tokens.weight}
    if not model.config.tied:
        matrices["lm_head"] = model.lm_head.weight
    for name, weight in matrices.items():
        if (rows := tensors.pop(_PREFIX + name + ROWS, None)) is not None:
            weight.data[torch.tensor(ids)] = rows.to(weight.dtype)
    return tensors


def read_adapter_config(folder: Path) -> dict[str, Any]:
    """adapter_config.json. Raises `ModelError` when it is broken."""
    try:
        about = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
        _ = about["peft_type"], about["base_model_name_or_path"]
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{folder / _CONFIG} cannot be read: {error!r}.") from error
    return about


def _require_plain(about: dict[str, Any], folder: Path) -> None:
    """Raises `ModelError` when an adapter asks for more than plain LoRA, which is what a network of ours can take."""
    extras = ["use_dora", "modules_to_save", "rank_pattern", "alpha_pattern"]
    if about.get("task_type") == "SEQ_CLS" and "score" in (about.get("modules_to_save") or ()):
        extras.remove("modules_to_save")  # the head of a reward model
    used = [name for name in extras if about.get(name)] + ["bias"] * (about.get("bias", "none") != "none")
    if about["peft_type"] != "LORA" or used or not about.keys() >= {"r", "lora_alpha"}:
        extra = " with " + ", ".join(used) if used else ""
        raise ModelError(
            f"{folder} is a {about['peft_type']} adapter{extra}; only plain LoRA is read here. Merge it "
            "with peft's `merge_and_unload` and save the model."
        )


@contextmanager
def merged_adapters(model: nn.Module) -> Iterator[None]:
    """Within, the adapters of a network of ours are merged into its matrices; after it, all is exactly as before."""
    before: list[tuple[Linear, Adapter, Tensor]] = []
    try:
        for linear in linears(model).values() if isinstance(model, Transformer) else ():
            if (adapter := linear.adapter) is not None:
                before.append((linear, adapter, linear.weight.data))
                with torch.no_grad():
                    linear.weight.data = ops.merged(linear.weight.data, *adapter.pair, adapter.scale)
                linear.adapter = None
        yield
    finally:
        for linear, adapter, weight in before:
            linear.weight.data, linear.adapter = weight, adapter
