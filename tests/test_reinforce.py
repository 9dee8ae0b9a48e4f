"""The REINFORCE page: by hand, on a table, against TRL, and by what it does to a model."""

import math

import pytest
import torch

from lab.algorithms import reinforce
from lab.config import OptimizerConfig, ReinforceConfig
from lab.model import load_model
from tests.rl_tables import Table
from tests.test_grpo import REWARDS, a_rollout
from tests.test_sft import StopAt
from tests.tiny import make_rl_run, series, work_here

QUICK = ReinforceConfig(
    max_steps=6,
    batch_size=3,
    group_size=4,
    max_new_tokens=6,
    learning_rate=1e-2,
    reward="contains:e",
    eval_every=3,
    sample_every=3,
    watched=1,
    checkpoint_every=2,
    device="cpu",
    optimizer=OptimizerConfig(warmup_steps=0, schedule="constant"),
)


def test_baselines_by_hand():
    rewards = torch.tensor([[1.0, 0, 2], [3, 3, 3]])
    assert reinforce.leave_one_out(rewards).tolist() == [[0, -1.5, 1.5], [0, 0, 0]]
    # the six add up to 12: without the first, 11 over 5
    assert torch.allclose(reinforce.batch_baseline(rewards)[0], torch.tensor([1 - 11 / 5, 0 - 12 / 5, 2 - 10 / 5]))
    assert reinforce.no_baseline(rewards) is rewards


@pytest.mark.parametrize("baseline", list(reinforce.BASELINES))
def test_the_estimate_is_the_gradient_on_average(baseline):
    """All 729 groups of two of the 27 sequences, each as often as it comes."""
    table = Table()
    groups, probability = table.pairs()
    rewards = table.rewards_S[groups]
    advantages = reinforce.leave_one_out(rewards)
    if baseline == "none":
        advantages = rewards
    if baseline == "batch":  # each group is a step of its own here
        advantages = torch.stack([reinforce.batch_baseline(group[None])[0] for group in rewards])
    log_ratio = table.logp_S[groups] - table.logp_S[groups].detach()
    loss = reinforce.clipped_loss(log_ratio, advantages, clip_low=0.2, clip_high=0.2).mean(-1)
    exact = table.exact_gradient()
    assert (table.gradient((probability * loss).sum()) + exact).norm() < 1e-10 * exact.norm()


def test_the_baseline_calms_the_estimate():
    table = Table()
    groups, probability = table.pairs()
    scatter = {}
    table.rewards_S = table.rewards_S + 3  # rewards far from 0: then a baseline matters
    exact = table.exact_gradient()
    scores = torch.stack([table.gradient(logp) for logp in table.logp_S])
    for name in ("leave one out", "none"):
        advantages = reinforce.BASELINES[name](table.rewards_S[groups])
        estimates = (advantages[..., None] * scores[groups]).mean(1)
        scatter[name] = (probability * (estimates - exact).square().sum(-1)).sum().item()
    assert scatter["leave one out"] < 0.5 * scatter["none"]


@pytest.mark.slow
def test_loss_gradient_and_advantages_equal_those_of_trl(tiny_model, tmp_path):
    import datasets
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast
    from trl import RLOOConfig, RLOOTrainer

    from tests.test_grpo import as_trl_takes_it

    seen = []

    def reward(completions, **_):
        seen[:] = [float(len(text) % 5) for text in completions]
        return list(seen)

    trainer = RLOOTrainer(
        model=LlamaForCausalLM.from_pretrained(tiny_model, dtype=torch.float32),
        args=RLOOConfig(
            output_dir=str(tmp_path),
            per_device_train_batch_size=8,
            num_generations=4,
            max_completion_length=12,
            beta=0.0,
            bf16=False,
            gradient_checkpointing=False,
            use_cpu=True,
            report_to="none",
        ),
        reward_funcs=reward,
        train_dataset=datasets.Dataset.from_list([{"prompt": "What is it?"}] * 8),
        processing_class=PreTrainedTokenizerFast.from_pretrained(tiny_model),
    )
    trainer.create_optimizer()
    trainer.model.train()
    given = trainer._generate_and_score_completions([{"prompt": "What is it?"}] * 4 + [{"prompt": "And now?"}] * 4)
    ours = reinforce.leave_one_out(torch.tensor(seen).view(2, 4)).flatten()
    assert torch.allclose(given["advantages"], ours, rtol=1e-5, atol=1e-6)

    rollout = a_rollout(REWARDS)
    model = load_model(tiny_model)
    part = rollout.part(range(8))
    chance = torch.Generator().manual_seed(4)
    now = model(part.batch).logp_L.detach()
    old = now + 0.3 * torch.randn(len(now), generator=chance)
    advantage = reinforce.leave_one_out(rollout.reward_PG).flatten().float()
    inputs = as_trl_takes_it(rollout, old, old, advantage) | {"old_logps": rollout.summed(old)}
    expected = trainer.compute_loss(trainer.model, inputs)
    expected.backward()

    log_ratio = reinforce.of_sequences(model(part.batch).logp_L - old, part.row_L, 8)
    loss = reinforce.clipped_loss(log_ratio, advantage, clip_low=0.2, clip_high=0.2).mean()
    loss.backward()
    assert reinforce.is_clipped(log_ratio, advantage, clip_low=0.2, clip_high=0.2).any()
    assert math.isclose(loss.item(), expected.item(), rel_tol=1e-5)
    theirs = dict(trainer.model.named_parameters())
    for name, parameter in model.named_parameters():
        assert (parameter.grad - theirs[name].grad).norm() < 1e-5 * theirs[name].grad.norm(), name


@pytest.mark.parametrize("baseline", ["leave one out", "batch"])
def test_it_learns_what_is_rewarded(tiny_model, tmp_path, baseline):
    config = QUICK.replace(max_steps=26, batch_size=4, group_size=6, eval_every=0, sample_every=0, baseline=baseline)
    reward = series(work_here(make_rl_run(tmp_path, tiny_model, config)), "reward/mean")
    assert reward[1] < 0.6 and max(list(reward.values())[-4:]) > 0.8, reward


def test_a_strong_kl_holds_the_policy(tiny_model, tmp_path):
    free, held = (
        series(work_here(make_rl_run(tmp_path, tiny_model, QUICK.replace(max_steps=12, kl_coefficient=beta))), name)
        for beta, name in ((1e-6, "kl/reference"), (2.0, "kl/reference"))
    )
    assert held[12] < 0.5 * free[12]


def test_stopped_and_continued_equals_unbroken(tiny_model, tmp_path):
    config = QUICK.replace(epochs=2, kl_coefficient=0.05)
    unbroken = work_here(make_rl_run(tmp_path, tiny_model, config))
    run = make_rl_run(tmp_path, tiny_model, config)
    before = StopAt(run, 3).work()
    run.clear_requests()
    run.update(resume=True, attempt=2)
    after = work_here(run)
    for name in ("reward/mean", "loss/policy", "grad_norm", "kl/reference"):
        assert series(before, name) | series(after, name) == series(unbroken, name), name
