"""The network: a Llama-style decoder that reads tokens and gives the probability of the next one.

    ids → embedding → [ RMSNorm → attention → + → RMSNorm → SwiGLU → + ] × layers → RMSNorm → head → logits

Weights have the names of Hugging Face's Llama, so that folders go in and out unchanged (`lab/model.py`). Sequences are
packed one after another without padding; a row attends to its own sequence only.
Shapes: `N` rows, `D` width, `H` heads, `G` heads of keys and values (G ≤ H), `K` size of a head, `F` inner width,
`V` vocabulary, `L` rows with a loss.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from lab import ops
from lab.causal_lm import CausalLM, PackedBatch, TokenScores
from lab.errors import ModelError
from lab.linear import Linear, side_by_side
from lab.token_rows import TokenRows, with_mean_rows


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """The shape of a network."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    context_length: int
    rope_theta: float = 10000.0
    norm_epsilon: float = 1e-5
    tied: bool = True

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The shape a Hugging Face config.json describes. Raises `ModelError` when `Transformer` cannot have it."""
        if reason := unsupported(values):
            raise ModelError(f"This network cannot be built here: {reason}.")
        heads = values["num_attention_heads"]
        rope = values.get("rope_parameters") or {}
        return cls(
            vocab_size=values["vocab_size"],
            hidden_size=values["hidden_size"],
            intermediate_size=values["intermediate_size"],
            layers=values["num_hidden_layers"],
            heads=heads,
            kv_heads=values.get("num_key_value_heads") or heads,
            head_size=values.get("head_dim") or values["hidden_size"] // heads,
            context_length=values.get("max_position_embeddings", 2048),
            rope_theta=float(rope.get("rope_theta") or values.get("rope_theta") or 10000.0),
            norm_epsilon=float(values.get("rms_norm_eps", 1e-6)),
            tied=bool(values.get("tie_word_embeddings", False)),
        )

    def to_json(self) -> dict[str, Any]:
        """A Hugging Face `config.json` of this shape."""
        return {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "head_dim": self.head_size,
            "max_position_embeddings": self.context_length,
            "rope_parameters": {"rope_type": "default", "rope_theta": self.rope_theta},
            "rms_norm_eps": self.norm_epsilon,
            "tie_word_embeddings": self.tied,
            "hidden_act": "silu",
            "attention_bias": False,
            "mlp_bias": False,
            "dtype": "float32",
        }


def unsupported(values: dict[str, Any]) -> str:
    """Why `Transformer` cannot be the network of this `config.json`; empty when it can."""
    rope = values.get("rope_parameters") or values.get("rope_scaling") or {}
    kind = rope.get("rope_type") or rope.get("type") or "default"
    if values.get("model_type") != "llama":
        return f"it is a {values.get('model_type')!r}, not a Llama"
    if values.get("attention_bias") or values.get("mlp_bias"):
        return "its matrices have biases"
    if values.get("hidden_act", "silu") != "silu":
        return f"its activation is {values['hidden_act']!r}, not SiLU"
    if kind != "default":
        return f"its positions are scaled ({kind})"
    return ""


class Rotation(NamedTuple):
    """Cosine and sine of every row's angles: what rotary positions turn queries and keys by. Shape (N, 1, K/2)."""

    cosine: Tensor
    sine: Tensor


class Norm(nn.Module):
    """RMSNorm with its learned scale."""

    def __init__(self, size: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.epsilon = epsilon

    def forward(self, x_ND: Tensor) -> Tensor:
        return ops.rms_norm(x_ND, self.weight, self.epsilon)


class Attention(nn.Module):
    """The four matrices of attention."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        queries, keys = config.heads * config.head_size, config.kv_heads * config.head_size
        self.q_proj = Linear(config.hidden_size, queries)
        self.k_proj = Linear(config.hidden_size, keys)
        self.v_proj = Linear(config.hidden_size, keys)
        self.o_proj = Linear(queries, config.hidden_size)


class MLP(nn.Module):
    """The three matrices of the inner layer."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.gate_proj = Linear(config.hidden_size, config.intermediate_size)
        self.up_proj = Linear(config.hidden_size, config.intermediate_size)
        self.down_proj = Linear(config.intermediate_size, config.hidden_size)


class Block(nn.Module):
    """One layer: attention, then the inner layer, each added to what came in.

    Attention itself happens between `qkv` and `finish`, so that training (whole sequences) and decoding (one token and
    a cache) can each do it their way.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.input_layernorm = Norm(config.hidden_size, config.norm_epsilon)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = Norm(config.hidden_size, config.norm_epsilon)
        self.mlp = MLP(config)

    def qkv(self, x_ND: Tensor, rotation: Rotation) -> tuple[Tensor, Tensor, Tensor]:
        """Queries (N, H, K), keys and values (N, G, K), with positions turned in."""
        c, attention = self.config, self.self_attn
        qkv = side_by_side(self.input_layernorm(x_ND), attention.q_proj, attention.k_proj, attention.v_proj)
        return ops.queries_keys_values(qkv.view(x_ND.shape[0], -1, c.head_size), *rotation, c.heads)

    def finish(self, x_ND: Tensor, attended_NHK: Tensor) -> Tensor:
        """The layer's output, from its input and what attention gathered."""
        x_ND = x_ND + self.self_attn.o_proj(attended_NHK.flatten(1))
        gate_up = side_by_side(self.post_attention_layernorm(x_ND), self.mlp.gate_proj, self.mlp.up_proj)
        return x_ND + self.mlp.down_proj(ops.swiglu(gate_up))


class Decoder(nn.Module):
    """Embedding, layers, final norm."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = Norm(config.hidden_size, config.norm_epsilon)


class Transformer(CausalLM):
    """The whole network. `forward` is for training; `embed`, `blocks`, `final` and `head` are its parts."""

    def __init__(self, config: TransformerConfig, about: dict[str, Any] | None = None) -> None:
        """`about` is the config.json that the shape was read from: what else it says is kept."""
        super().__init__()
        self.config = config
        self.about = about or {}
        self.recompute = False
        """Whether training keeps only what enters each layer and works the rest out again on the way back."""
        self.model = Decoder(config)
        self.embedding_rows: TokenRows | None = None
        self.head_rows: TokenRows | None = None
        """Rows of new tokens, when they are trained beside a frozen network (the head's own where it is not tied)."""
        if not config.tied:
            self.lm_head = Linear(config.hidden_size, config.vocab_size)
        steps = torch.arange(0, config.head_size, 2, dtype=torch.float32) / config.head_size
        angles = torch.outer(torch.arange(config.context_length, dtype=torch.float32), config.rope_theta**-steps)
        self.cosine: Tensor
        self.sine: Tensor
        self.register_buffer("cosine", angles.cos(), persistent=False)
        self.register_buffer("sine", angles.sin(), persistent=False)

    @property
    def blocks(self) -> list[Block]:
        """The layers in order."""
        return list(self.model.layers)  # type: ignore[arg-type]

    @property
    def context_length(self) -> int:
        return self.config.context_length

    @property
    def head_weight(self) -> Tensor:
        """The matrix (V, D) that turns a final state into logits."""
        if self.config.tied:
            return self.embedding
        return self.head_rows.into(self.lm_head.weight) if self.head_rows else self.lm_head.weight

    @property
    def embedding(self) -> Tensor:
        """The matrix (V, D) with the first state of every token."""
        weight = self.model.embed_tokens.weight
        return self.embedding_rows.into(weight) if self.embedding_rows else weight

    def keep_less(self) -> None:
        self.recompute = True

    def grow(self, new_ids: Sequence[int]) -> None:
        size = max(self.config.vocab_size, max(new_ids) + 1)
        matrices: list[Any] = [self.model.embed_tokens, *([] if self.config.tied else [self.lm_head])]
        for matrix in matrices:
            matrix.weight = nn.Parameter(with_mean_rows(matrix.weight, size, new_ids))
        self.model.embed_tokens.num_embeddings = size
        self.config = replace(self.config, vocab_size=size)

    def rotary(self, positions_N: Tensor) -> Rotation:
        """The rotation of rows at these positions."""
        return Rotation(self.cosine[positions_N].unsqueeze(1), self.sine[positions_N].unsqueeze(1))

    def embed(self, ids_N: Tensor) -> Tensor:
        """The network's first state of each token: (N, D)."""
        return F.embedding(ids_N, self.embedding)

    def final(self, x_ND: Tensor) -> Tensor:
        """The last state, normed: what the head reads."""
        return self.model.norm(x_ND)

    def head(self, x_ND: Tensor) -> Tensor:
        """Logits (N, V) of final states."""
        return F.linear(x_ND, self.head_weight)

    def states(self, batch: PackedBatch) -> Tensor:
        """Final states (L, D) of the rows with a loss. The last layer works on those rows only."""
        x_ND = self.embed(batch.ids_N)
        rotation = self.rotary(batch.positions_N)
        last = len(self.model.layers) - 1
        for number, block in enumerate(self.blocks):
            rows = batch.rows_L if number == last else None
            if self.recompute and torch.is_grad_enabled():
                x_ND = checkpoint(_layer, block, x_ND, rotation, batch, rows, use_reentrant=False)
            else:
                x_ND = _layer(block, x_ND, rotation, batch, rows)
        return self.final(x_ND)

    def forward(self, batch: PackedBatch) -> TokenScores:
        return TokenScores(*ops.token_logps(self.states(batch), self.head_weight, batch.targets_L))

    def logits(self, ids_BT: Tensor) -> Tensor:
        batch, length = ids_BT.shape
        positions_N = torch.arange(length, device=ids_BT.device).repeat(batch)
        whole = PackedBatch(ids_BT.flatten(), positions_N, None, ids_BT.flatten(), ((batch, length),))
        return self.head(self.states(whole)).view(batch, length, -1)

    def initialise(self, seed: int) -> None:
        """Random weights: embeddings small, matrices scaled by their inputs, and those that write into the sum of all
        layers scaled down by the number of writers."""
        generator = torch.Generator().manual_seed(seed)
        writers = ("o_proj.weight", "down_proj.weight")
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if parameter.ndim == 1:
                    parameter.fill_(1.0)
                    continue
                deviation = 0.02 if "embed" in name or "lm_head" in name else 1 / math.sqrt(parameter.shape[1])
                if name.endswith(writers):
                    deviation /= math.sqrt(2 * self.config.layers)
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * deviation)


def _layer(block: Block, x_ND: Tensor, rotation: Rotation, batch: PackedBatch, rows_L: Tensor | None) -> Tensor:
    """What a layer makes of all rows, or of the rows `rows_L` only."""
    attended_NHK = causal_attention(*block.qkv(x_ND, rotation), batch)
    if rows_L is not None:
        x_ND, attended_NHK = (ops.take_rows(x, rows_L) for x in (x_ND, attended_NHK))
    return block.finish(x_ND, attended_NHK)


def causal_attention(q_NHK: Tensor, k_NGK: Tensor, v_NGK: Tensor, batch: PackedBatch) -> Tensor:
    """Every row's mix (N, H, K) of the values of its own sequence up to itself.

    Sequences of about one length go together, padded at their end: a causal row never looks at what comes after it.
    """
    padded = [q_NHK, k_NGK, v_NGK]
    if batch.slots is not None and batch.slot_of_N is not None:
        padded = [ops.to_slots(x, batch.slots, batch.slot_of_N) for x in padded]
    sizes = [sequences * length for sequences, length in batch.groups]
    parts = []
    for (sequences, length), *group in zip(batch.groups, *(x.split(sizes) for x in padded)):
        q, k, v = (x.view(sequences, length, *x.shape[1:]).transpose(1, 2) for x in group)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=q.shape[1] != k.shape[1])
        parts.append(mixed.transpose(1, 2).reshape(sequences * length, *q_NHK.shape[1:]))
    mixed_NHK = parts[0] if len(parts) == 1 else torch.cat(parts)
    return mixed_NHK if batch.slot_of_N is None else ops.take_rows(mixed_NHK, batch.slot_of_N)
