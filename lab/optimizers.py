"""The optimizers, and the learning rate over a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from lab.config import OptimizerConfig

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the iteration x ← ax + b(xxᵀ)x + c(xxᵀ)²x, which takes all singular values of x to about 1."""


def orthogonalised(matrices: Tensor, iterations: int = 5) -> Tensor:
    """Each matrix of the stack with its singular values made about equal to 1 (Newton–Schulz). The stack's matrices
    must be at most as tall as wide."""
    a, b, c = NEWTON_SCHULZ
    x = matrices / (torch.linalg.matrix_norm(matrices, keepdim=True) + 1e-7)
    for _ in range(iterations):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised: every direction of a matrix moves by the same length (Jordan et al. 2024,
    https://kellerjordan.github.io/posts/muon). For matrices only.

    Matrices of one shape go through the iteration together and in their own precision: on processors without bfloat16
    units that is many times faster than `torch.optim.Muon`, which it equals otherwise.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, momentum: float = 0.95) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step along the orthogonalised momentum of every parameter that has a gradient."""
        for group in self.param_groups:
            by_shape: dict[tuple[int, int], list[nn.Parameter]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    rows, columns = parameter.shape
                    by_shape.setdefault((min(rows, columns), max(rows, columns)), []).append(parameter)
            for parameters in by_shape.values():
                self._step_together(parameters, group["lr"], group["momentum"])

    def _step_together(self, parameters: list[nn.Parameter], lr: float, momentum: float) -> None:
        directions = torch.stack([_wide(self._direction(parameter, momentum)) for parameter in parameters])
        for parameter, direction in zip(parameters, orthogonalised(directions)):
            rows, columns = parameter.shape
            change = direction if rows <= columns else direction.T
            parameter.add_(change, alpha=-lr * math.sqrt(max(1.0, rows / columns)))

    def _direction(self, parameter: nn.Parameter, momentum: float) -> Tensor:
        gradient, state = parameter.grad, self.state[parameter]
        assert gradient is not None
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        return gradient.lerp(state["momentum"].lerp_(gradient, 1 - momentum), momentum)


def _wide(matrix: Tensor) -> Tensor:
    return matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T


def adamw(parameters: Iterable[nn.Parameter], lr: float, config: OptimizerConfig) -> torch.optim.AdamW:
    """AdamW (Loshchilov & Hutter 2019) over the parameters that are trained; one-dimensional ones (norms) are not
    pulled towards 0."""
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(groups, lr=lr, betas=(config.beta1, config.beta2), fused=True)


def muon_and_adamw(
    model: nn.Module, matrix_lr: float, other_lr: float, config: OptimizerConfig
) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for embeddings, head and norms; with a `matrix_lr` of 0, AdamW
    for everything."""
    if matrix_lr == 0:
        return [adamw(model.parameters(), other_lr, config)]
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        inside = parameter.ndim == 2 and "embed" not in name and "lm_head" not in name
        (matrices if inside else others).append(parameter)
    return [Muon(matrices, lr=matrix_lr), adamw(others, other_lr, config)]


def schedule(step: int, total: int, config: OptimizerConfig) -> float:
    """The factor on the learning rate of step `step` (from 0) of `total`: up to 1 over the warm-up, then down to
    `final` along a line or half a cosine, or not at all."""
    warmup = min(config.warmup_steps, total)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    left = (total - step) / max(1, total - warmup)
    above = {"constant": 1.0, "linear": left, "cosine": 0.5 - 0.5 * math.cos(math.pi * left)}[config.schedule]
    return config.final + (1 - config.final) * above


def set_learning_rate(optimizers: Iterable[torch.optim.Optimizer], factor: float) -> float:
    """Scale each optimizer's peak learning rate by `factor`; gives the rate of the last optimizer."""
    rate = 0.0
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            rate = group["lr"] = group.setdefault("peak", group["lr"]) * factor
    return rate
