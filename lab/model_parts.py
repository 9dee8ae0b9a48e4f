"""What a model is made of: its parameters by part, and the disk it takes. Read from the heads of its files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lab.model_folder import tensors

PARTS = (
    ("adapters", r"lora_|modules_to_save|trainable_tokens"),
    ("embeddings", r"embed_tokens|wte|wpe|word_embeddings|embed_in|embeddings?\.weight|backbone\.embedding"),
    ("output head", r"lm_head|embed_out|score\.weight"),
    ("norms", r"norm|ln_[\w]+\.|layernorm"),
    ("attention", r"attn|attention|[qkvo]_proj|query_key_value"),
    ("experts", r"experts|router|gate\.weight"),
    ("state space", r"mixer|mamba|ssm|conv1d|x_proj|dt_proj|A_log"),
    ("MLP", r"mlp|feed_forward|fc\d|c_fc|c_proj|up_proj|down_proj|gate_proj|w[123]\."),
)
"""Part → what the names of its tensors contain; the first that fits counts."""
LAYER = re.compile(r"\.(?:layers?|h|blocks?)\.(\d+)\.")


@dataclass(frozen=True)
class Part:
    """Some of a model's parameters."""

    name: str
    parameters: int


def parameters_by_part(folder: Path) -> list[Part]:
    """The parts that a model has, the largest first. Raises `ModelError` for a broken file."""
    counts: dict[str, int] = {}
    for name, _, count in tensors(folder):
        part = part_of(name)
        counts[part] = counts.get(part, 0) + count
    return sorted((Part(*item) for item in counts.items()), key=lambda part: -part.parameters)


def part_of(tensor: str) -> str:
    """The part that a tensor belongs to, by its name."""
    return next((part for part, inside in PARTS if re.search(inside, tensor)), "other")


def layer_count(folder: Path) -> int:
    """How many layers the names of the tensors count."""
    found = {int(match[1]) for name, _, _ in tensors(folder) if (match := LAYER.search(name))}
    return len(found)


def size_on_disk(folder: Path) -> int:
    """Bytes of all files in a model's folder (of a Hub model: of what its links lead to)."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
