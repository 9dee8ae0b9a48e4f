"""Matrices, with the low-rank adapters that may stand beside them (LoRA, Hu et al. 2021, arXiv:2106.09685)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lab import ops
from lab.config import LoRAConfig


class Adapter(nn.Module):
    """A low-rank change of a matrix beside it: scale · B · A (Hu et al. 2021). Starts as no change: B is 0."""

    def __init__(self, inputs: int, outputs: int, config: LoRAConfig) -> None:
        super().__init__()
        self.lora_A = Linear(inputs, config.r)
        self.lora_B = Linear(config.r, outputs)
        self.scale = config.alpha / config.r
        self.dropout = config.dropout
        nn.init.kaiming_uniform_(self.lora_A.weight, a=math.sqrt(5))
        nn.init.zeros_(self.lora_B.weight)

    @property
    def pair(self) -> tuple[Tensor, Tensor]:
        """A (r, inputs) and B (outputs, r)."""
        return self.lora_A.weight, self.lora_B.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.lora_B(self.lora_A(F.dropout(x, self.dropout, self.training))) * self.scale


class Linear(nn.Module):
    """x · Wᵀ without a bias, changed by an adapter when there is one."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.adapter: Adapter | None = None

    def forward(self, x: Tensor) -> Tensor:
        return side_by_side(x, self)


def side_by_side(x: Tensor, *linears: Linear) -> Tensor:
    """What several matrices make of the same input, one result beside the other, in one large product."""
    adapters = [linear.adapter for linear in linears]
    present = [adapter for adapter in adapters if adapter is not None]
    weights: list[Tensor] = [linear.weight for linear in linears]
    if any(adapter.dropout and adapter.training for adapter in present):
        parts = [F.linear(x, weight) for weight in weights]
        return torch.cat([y if a is None else y + a(x) for y, a in zip(parts, adapters)], -1)
    if present:
        return ops.adapted_linear(x, weights, [None if a is None else a.pair for a in adapters], present[0].scale)
    return F.linear(x, weights[0] if len(weights) == 1 else torch.cat(weights))
