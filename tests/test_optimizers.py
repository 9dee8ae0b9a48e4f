"""Optimizers and the learning rate over a run."""

import math

import pytest
import torch
from torch import nn

from lab.config import OptimizerConfig
from lab.model import load_model
from lab.optimizers import Muon, adamw, muon_and_adamw, orthogonalised, schedule, set_learning_rate


def test_orthogonalised_matrices_keep_their_directions_and_lose_their_lengths():
    matrices = torch.randn(3, 8, 20, generator=torch.Generator().manual_seed(0))
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    result = orthogonalised(matrices)
    assert (torch.linalg.svdvals(result) - 1).abs().max() < 0.35
    cosine = (result * (left @ right)).sum((1, 2)) / (result.norm(dim=(1, 2)) * (left @ right).norm(dim=(1, 2)))
    assert cosine.min() > 0.97


@pytest.mark.parametrize("shape", [(12, 12), (6, 18), (18, 6)])
def test_muon_equals_the_one_in_torch(shape):
    """Theirs computes in bfloat16, so to a few per cent of each step's length."""
    start = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    optimizers = [Muon([ours], lr=0.1), torch.optim.Muon([theirs], lr=0.1, weight_decay=0.0)]
    generator = torch.Generator().manual_seed(2)
    for _ in range(4):
        gradient = torch.randn(shape, generator=generator)
        for parameter, optimizer in zip((ours, theirs), optimizers):
            parameter.grad = gradient.clone()
            optimizer.step()
    assert (ours - theirs).norm() < 0.03 * (ours - start).norm()


def test_matrices_of_one_shape_step_as_if_alone():
    starts = [torch.randn(4, 6, generator=torch.Generator().manual_seed(n)) for n in range(3)]
    together = [nn.Parameter(start.clone()) for start in starts]
    alone = [nn.Parameter(start.clone()) for start in starts]
    for parameter, twin, start in zip(together, alone, starts):
        parameter.grad, twin.grad = start.flip(0), start.flip(0)
        Muon([twin], lr=0.1).step()
    Muon(together, lr=0.1).step()
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(together, alone))


def test_who_trains_what(tiny_model):
    model = load_model(tiny_model)
    muon, other = muon_and_adamw(model, 0.02, 0.004, OptimizerConfig(weight_decay=0.1))
    assert len(muon.param_groups[0]["params"]) == 2 * 7
    matrices, norms = other.param_groups
    assert [p.shape for p in matrices["params"]] == [model.head_weight.shape]
    assert (matrices["weight_decay"], norms["weight_decay"]) == (0.1, 0.0)
    assert {p.ndim for p in norms["params"]} == {1}


def test_without_a_rate_of_its_own_matrices_go_to_adamw_too(tiny_model):
    model = load_model(tiny_model)
    (only,) = muon_and_adamw(model, 0.0, 0.004, OptimizerConfig())
    assert sum(len(group["params"]) for group in only.param_groups) == len(list(model.parameters()))


def test_schedules_by_hand():
    config = OptimizerConfig(schedule="linear", warmup_steps=3)
    assert [schedule(step, 8, config) for step in range(8)] == [0.25, 0.5, 0.75, 1.0, 0.8, 0.6, 0.4, pytest.approx(0.2)]
    constant = OptimizerConfig(schedule="constant", warmup_steps=0)
    assert {schedule(step, 8, constant) for step in range(8)} == {1.0}
    cosine = OptimizerConfig(schedule="cosine", warmup_steps=0)
    assert [round(schedule(step, 4, cosine), 4) for step in range(4)] == [1.0, 0.8536, 0.5, 0.1464]
    assert schedule(0, 1, OptimizerConfig(warmup_steps=10)) > 0


def test_the_learning_rate_is_set_from_the_peak_again_and_again():
    first, second = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2))
    optimizers = [Muon([first], lr=0.2), adamw([second], 0.1, OptimizerConfig())]
    for factor in (0.5, 0.25):
        set_learning_rate(optimizers, factor)
        rates = [group["lr"] for optimizer in optimizers for group in optimizer.param_groups]
        assert all(math.isclose(rate, peak * factor) for rate, peak in zip(rates, (0.2, 0.1)))
