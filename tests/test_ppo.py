"""The PPO page: by hand, in closed form, and by what it does to a model."""

import math

import pytest
import torch

from lab.algorithms import ppo
from lab.config import OptimizerConfig, PPOConfig
from lab.model import load_model
from tests.test_sft import StopAt
from tests.tiny import make_rl_run, series, work_here

QUICK = PPOConfig(
    max_steps=6,
    batch_size=3,
    group_size=4,
    max_new_tokens=6,
    learning_rate=5e-3,
    value_learning_rate=1e-2,
    reward="contains:e",
    eval_every=3,
    sample_every=3,
    watched=1,
    checkpoint_every=2,
    device="cpu",
    optimizer=OptimizerConfig(warmup_steps=0, schedule="constant"),
)


def double(values):
    return torch.tensor(values, dtype=torch.float64)


def test_the_reward_comes_at_the_last_token_and_the_distance_at_each():
    mask = torch.tensor([[True, True, False], [True, True, True]])
    change = double([[0.5, -1.0, 9.0], [0.1, 0.2, 0.3]])
    found = ppo.token_rewards(double([2.0, -1.0]), mask, change, kl_coefficient=0.1)
    assert torch.allclose(found, double([[-0.05, 2.1, 0], [-0.01, -0.02, -1.03]]))


@pytest.mark.parametrize(("discount", "smoothing"), [(1.0, 0.95), (0.9, 0.5), (1.0, 1.0), (0.97, 0.0)])
def test_advantages_equal_their_sum_written_out(discount, smoothing):
    """Schulman et al. 2015, eq. 16: A_t = Σ_l (γλ)^l δ_{t+l}, and with λ = 1 the return less the forecast."""
    chance = torch.Generator().manual_seed(0)
    rewards, values = (torch.randn(3, 7, dtype=torch.float64, generator=chance) for _ in range(2))
    lengths = [7, 4, 1]
    mask = torch.arange(7) < torch.tensor(lengths)[:, None]
    rewards = rewards * mask
    found = ppo.advantages(rewards, values, mask, discount=discount, smoothing=smoothing)
    for row, length in enumerate(lengths):
        after = [*values[row, 1:length].tolist(), 0.0]
        deltas = [rewards[row, t] + discount * after[t] - values[row, t] for t in range(length)]
        for t in range(length):
            expected = sum((discount * smoothing) ** k * deltas[t + k] for k in range(length - t))
            assert found[row, t] == pytest.approx(float(expected), abs=1e-12)
            if smoothing == 1:
                to_come = sum(discount**k * rewards[row, t + k] for k in range(length - t))
                assert found[row, t] == pytest.approx(float(to_come - values[row, t]), abs=1e-12)
        assert not found[row, length:].any()


def test_whitening_looks_at_tokens_only():
    mask = torch.tensor([[True, True, False], [True, False, False]])
    found = ppo.whitened(double([[1.0, 3.0, 77.0], [5.0, -9.0, 8.0]]), mask)
    # 1, 3, 5: mean 3, spread √(8/3)
    assert torch.allclose(found, double([[-2, 0, 0], [2, 0, 0]]) / math.sqrt(8 / 3))


def test_the_losses_and_their_gradients_in_closed_form():
    log_ratio = double([0.0, math.log(1.5), math.log(1.5), math.log(0.5), math.log(0.5)]).requires_grad_()
    advantage = double([2.0, 2.0, -2.0, 2.0, -2.0])
    loss = ppo.policy_loss(log_ratio, advantage, clip=0.2)
    assert torch.allclose(loss, double([-2, -2.4, 3, -1, 1.6]))
    (found,) = torch.autograd.grad(loss.sum(), log_ratio)
    assert torch.allclose(found, double([-2, 0, 3, -1, 0]))  # −ρ A, and 0 where it is clipped
    assert ppo.is_clipped(log_ratio, advantage, clip=0.2).tolist() == [False, True, False, False, True]

    value = double([0.1, 0.5, -0.5]).requires_grad_()
    loss = ppo.value_loss(value, double([0.0, 0.0, 0.0]), double([1.0, 1.0, 1.0]), clip=0.2)
    # 0.5 would be clipped to 0.2, whose error ½·0.8² is the larger one; −0.5 to −0.2, whose error is the smaller one
    assert torch.allclose(loss, double([0.405, 0.32, 1.125]))
    (found,) = torch.autograd.grad(loss.sum(), value)
    assert torch.allclose(found, double([-0.9, 0, -1.5]))


def test_the_coefficient_moves_towards_its_target():
    assert ppo.adapted(0.1, 5.0, target=5.0) == 0.1
    assert ppo.adapted(0.1, 5.5, target=5.0) == pytest.approx(0.1 * 1.01)
    assert ppo.adapted(0.1, 500.0, target=5.0) == pytest.approx(0.102)
    assert ppo.adapted(0.1, 0.0, target=5.0) == pytest.approx(0.098)


@pytest.mark.parametrize("kl_in", ["reward", "k2", "k3 corrected"])
def test_it_learns_what_is_rewarded(tiny_model, tmp_path, kl_in):
    config = QUICK.replace(max_steps=24, batch_size=4, group_size=6, eval_every=0, sample_every=0, kl_in=kl_in)
    events = work_here(make_rl_run(tmp_path, tiny_model, config))
    reward, forecast = series(events, "reward/mean"), series(events, "loss/value")
    assert reward[1] < 0.6 and max(list(reward.values())[-4:]) > 0.75, reward
    assert min(forecast.values()) < 0.7 * forecast[1]


def test_what_is_kept_is_the_policy(tiny_model, tmp_path):
    run = make_rl_run(tmp_path, tiny_model, QUICK.replace(max_steps=2))
    events = work_here(run)
    assert events[-1].type == "finished"
    before, after = load_model(tiny_model), load_model(run.model)
    assert before.state_dict().keys() == after.state_dict().keys()
    assert not torch.equal(before.head_weight, after.head_weight)
    assert list(series(events, "kl/coefficient").values()) == [0.02, 0.02]


def test_stopped_and_continued_equals_unbroken(tiny_model, tmp_path):
    config = QUICK.replace(kl_target=0.01)
    unbroken = work_here(make_rl_run(tmp_path, tiny_model, config))
    run = make_rl_run(tmp_path, tiny_model, config)
    before = StopAt(run, 3).work()
    run.clear_requests()
    run.update(resume=True, attempt=2)
    after = work_here(run)
    for name in ("reward/mean", "loss/policy", "loss/value", "grad_norm", "kl/reference", "kl/coefficient"):
        assert series(before, name) | series(after, name) == series(unbroken, name), name
    assert len(set(series(unbroken, "kl/coefficient").values())) > 3
