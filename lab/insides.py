"""Inside a network: its parameters by part, who looks at whom, and what each layer would say already.

The logit lens (nostalgebraist 2020) reads every layer's state with the head that is made for the last one. For our own
networks and for any decoder of transformers that gives its attention. Shapes: `L` layers, `H` heads, `T` tokens,
`D` width, `V` vocabulary.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lab.errors import ModelError
from lab.transformer import Transformer

FINAL_NORMS = ("norm", "ln_f", "final_layernorm", "final_layer_norm")
"""What architectures call the norm before the head."""


class Part(NamedTuple):
    """Weights of one kind: their name with * for the number of the layer, the shape of one, how many there are."""

    name: str
    shape: tuple[int, ...]
    copies: int

    @property
    def parameters(self) -> int:
        """Numbers in all of them together."""
        total = self.copies
        for size in self.shape:
            total *= size
        return total


@dataclass(frozen=True)
class Insides:
    """What one text does in a network."""

    attention: list[Tensor]
    """Of each layer (H, T, T): how much each token's row takes of every token before it."""
    states: list[Tensor]
    """After the embedding and after each layer (T, D)."""
    lens: list[Tensor]
    """What the head makes of these states: log p (T, V)."""


def parts(model: nn.Module) -> list[Part]:
    """All weights by kind, in the order in which they are used; a head that is the embedding again is not counted."""
    found: dict[tuple[str, tuple[int, ...]], int] = {}
    for name, parameter in model.named_parameters():
        kind = re.sub(r"\.\d+\.", ".*.", name), tuple(parameter.shape)
        found[kind] = found.get(kind, 0) + 1
    return [Part(name, shape, copies) for (name, shape), copies in found.items()]


@torch.inference_mode()
def look_inside(model: Any, ids: Sequence[int]) -> Insides:
    """Read a text and keep what is usually thrown away. Raises `ModelError` for a network that does not give it."""
    if isinstance(model, Transformer):
        attention, states = _ours(model, torch.tensor(ids, device=model.head_weight.device))
        logits = [model.head(model.final(state)) for state in states]
    else:
        attention, states, logits = _of_transformers(model.network, ids)
    return Insides(attention, states, [each.float().log_softmax(-1) for each in logits])


def _ours(model: Transformer, ids_N: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    positions_N = torch.arange(len(ids_N), device=ids_N.device)
    rotation = model.rotary(positions_N)
    later_NN = positions_N[:, None] < positions_N[None, :]
    states, attention = [model.embed(ids_N)], []
    for block in model.blocks:
        q_NHK, k_NGK, v_NGK = block.qkv(states[-1], rotation)
        share = q_NHK.shape[1] // k_NGK.shape[1]
        k_HNK, v_HNK = (x.repeat_interleave(share, 1).transpose(0, 1) for x in (k_NGK, v_NGK))
        scores_HNN = q_NHK.transpose(0, 1) @ k_HNK.transpose(1, 2) * q_NHK.shape[-1] ** -0.5
        weights_HNN = scores_HNN.masked_fill(later_NN, -torch.inf).softmax(-1)
        attention.append(weights_HNN)
        states.append(block.finish(states[-1], (weights_HNN @ v_HNK).transpose(0, 1)))
    return attention, states


def _of_transformers(network: Any, ids: Sequence[int]) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    inner = network.base_model
    norm = next((module for name in FINAL_NORMS if (module := getattr(inner, name, None)) is not None), None)
    device = next(network.parameters()).device
    with _eager(network):
        read = network(
            input_ids=torch.tensor([list(ids)], device=device),
            output_attentions=True,
            output_hidden_states=True,
            use_cache=False,
        )
    attention, states = read.attentions, read.hidden_states
    if not attention or attention[0] is None or norm is None:
        raise ModelError("This architecture does not show its attention; its inside cannot be drawn.")
    head = network.get_output_embeddings()
    logits = [head(norm(state[0])) for state in states[:-1]] + [read.logits[0]]
    return [each[0] for each in attention], [state[0] for state in states], logits


@contextmanager
def _eager(network: Any) -> Iterator[None]:
    """Attention by the plain formula, which keeps its weights."""
    before = network.config._attn_implementation
    network.set_attn_implementation("eager")
    try:
        yield
    finally:
        network.set_attn_implementation(before)


@contextmanager
def turned(model: nn.Module, name: str, row: int, column: int, value: float | None) -> Iterator[float]:
    """For a moment, another value for one weight (None: the one it has); gives the one it had. Raises `ModelError`
    when there is no such weight."""
    weights = dict(model.named_parameters())
    if name not in weights:
        raise ModelError(f"The model has no weights called {name!r}.")
    weight = weights[name].data
    matrix = weight if weight.ndim == 2 else weight.reshape(1, -1)
    if not (0 <= row < matrix.shape[0] and 0 <= column < matrix.shape[1]):
        raise ModelError(f"{name} has rows 0 to {matrix.shape[0] - 1} and columns 0 to {matrix.shape[1] - 1}.")
    before = matrix[row, column].item()
    try:
        if value is not None:
            matrix[row, column] = value
        yield before
    finally:
        matrix[row, column] = before
