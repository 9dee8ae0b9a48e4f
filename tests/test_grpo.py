"""The GRPO page: by hand, in closed form, on a table, against TRL, and by what it does to a model."""

import math

import pytest
import torch

from lab.algorithms import grpo
from lab.config import GRPOConfig, LoRAConfig, OptimizerConfig
from lab.config.grpo import VARIANTS
from lab.errors import RunError
from lab.events import read_events
from lab.generate import Generated
from lab.logprobs import KL_LOSSES, kl_k1, kl_k2, kl_k3
from lab.model import load_model
from lab.problem import Problem
from lab.rewards import Sample, Score
from lab.rollout import Group, Prompt, Rollout
from tests.rl_tables import Table
from tests.tiny import make_rl_run, series, work_here

QUICK = GRPOConfig(
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
    gradient_accumulation=2,
    device="cpu",
    optimizer=OptimizerConfig(warmup_steps=0, schedule="constant"),
)


# --- the formulas ----------------------------------------------------------------------------------------------------


def test_advantages_by_hand():
    rewards = torch.tensor([[1.0, 0, 0, 1], [2, 2, 2, 2]])
    # group 1: mean ½, deviation √(4·¼/3) = 1/√3; all 8: mean 10/8, Σ(r − mean)² = 18 − 100/8 = 5.5, deviation √(5.5/7)
    half = 0.5 / (1 / math.sqrt(3) + 1e-4)
    assert torch.allclose(grpo.standardised(rewards)[0], torch.tensor([half, -half, -half, half]))
    assert grpo.centred(rewards).tolist() == [[0.5, -0.5, -0.5, 0.5], [0, 0, 0, 0]]
    assert torch.allclose(grpo.batch_standardised(rewards)[0, 0], torch.tensor(0.5 / (math.sqrt(5.5 / 7) + 1e-4)))
    assert all(not advantage(rewards)[1].any() for advantage in grpo.ADVANTAGES.values())


def test_the_clipped_loss_by_hand():
    # ratio, advantage → −min(ρ A, clip(ρ) A), clipped to [0.8, 1.3]
    cases = [(1.0, 2.0, -2.0), (1.5, 2.0, -2.6), (0.5, 2.0, -1.0), (1.5, -2.0, 3.0), (0.5, -2.0, 1.6)]
    ratio, advantage, expected = (torch.tensor(column, dtype=torch.float64) for column in zip(*cases))
    clip = {"clip_low": 0.2, "clip_high": 0.3}
    assert torch.allclose(grpo.clipped_loss(ratio.log(), advantage, **clip), expected)
    assert grpo.is_clipped(ratio.log(), advantage, **clip).tolist() == [False, True, False, False, True]


def test_weights_of_completions():
    length = torch.tensor([2, 6])
    about = {"tokens": 16.0, "completions": 4.0, "budget": 10, "parts": 2}
    assert grpo.per_token(length, **about).tolist() == [1 / 16, 1 / 16]
    assert grpo.per_sequence(length, **about).tolist() == pytest.approx([1 / 8, 1 / 24])
    assert grpo.per_budget(length, **about).tolist() == pytest.approx([1 / 40, 1 / 40])
    assert grpo.per_part(length, **about).tolist() == pytest.approx([1 / 16, 1 / 16])


def test_gspo_and_dr_grpo_in_closed_form():
    chance = torch.Generator().manual_seed(1)
    logp = torch.randn(7, dtype=torch.float64, generator=chance).mul(0.1).requires_grad_()
    old = logp.detach() + 0.1 * torch.randn(7, dtype=torch.float64, generator=chance)
    row, length = torch.tensor([0, 0, 0, 1, 1, 1, 1]), torch.tensor([3, 4])
    advantage = torch.tensor([0.7, -1.2], dtype=torch.float64)

    log_ratio = grpo.sequence_ratio(logp - old, row, length)
    s = torch.stack([(logp[:3] - old[:3]).mean().exp(), (logp[3:] - old[3:]).mean().exp()])
    assert torch.allclose(log_ratio.exp(), s[row])
    loss = grpo.clipped_loss(log_ratio, advantage[row], clip_low=0.9, clip_high=9)
    weight = grpo.per_sequence(length, tokens=7, completions=2, budget=9, parts=1).double()
    (found,) = torch.autograd.grad((loss * weight[row]).sum(), logp)
    # GSPO, eq. 5 and 10: J = ½ Σ s A, ∇J = ½ Σ s A · mean ∇ log p
    expected = -(s * advantage / 2 / length)[row]
    assert torch.allclose(found, expected.detach(), atol=1e-7)  # the weights are single precision

    loss = grpo.clipped_loss(logp - old, advantage[row], clip_low=0.9, clip_high=9)
    weight = grpo.per_budget(length, tokens=7, completions=2, budget=9, parts=1).double()
    (found,) = torch.autograd.grad((loss * weight[row]).sum(), logp)
    expected = -(logp - old).exp() * advantage[row] / (2 * 9)
    assert torch.allclose(found, expected.detach(), atol=1e-7)


def test_the_group_mean_is_off_by_exactly_one_over_g():
    table = Table()
    groups, probability = table.pairs()
    advantage = grpo.centred(table.rewards_S[groups])
    estimate = (probability[:, None] * advantage * table.logp_S[groups] / 2).sum()
    exact = table.exact_gradient()
    assert (table.gradient(estimate) - exact / 2).norm() < 1e-10 * exact.norm()  # (G − 1) / G with G = 2


def test_which_distance_each_kl_in_the_loss_follows():
    table, other = Table(1), Table(2)
    p, q = table.logp_S, other.logp_S.detach()
    forward, backward = (p.exp() * (p - q)).sum(), (q.exp() * (q - p)).sum()
    of_p, of_q = table.gradient(forward), table.gradient(backward)
    on_p = p.detach().exp()
    for name, expected in (("k2", of_p), ("k3", of_q), ("k3 corrected", of_p)):
        loss = (on_p * KL_LOSSES[name](table.logp_S, q, table.logp_S - table.logp_S.detach())).sum()
        assert (table.gradient(loss) - expected).norm() < 1e-10 * expected.norm(), name
    # in the reward: k1 follows KL(p‖q), k3 the difference of both
    for estimate, expected in ((kl_k1(p, q), of_p), (kl_k3(p, q), of_p - of_q)):
        found = table.gradient((on_p * estimate.detach() * table.logp_S).sum())
        assert (found - expected).norm() < 1e-10 * expected.norm()


def test_kl_estimators_are_right_on_average():
    table, other = Table(1), Table(2)
    p, q = table.logp_S.detach(), other.logp_S.detach()
    exact = (p.exp() * (p - q)).sum()
    assert torch.isclose((p.exp() * kl_k1(p, q)).sum(), exact)
    assert torch.isclose((p.exp() * kl_k3(p, q)).sum(), exact)
    assert not torch.isclose((p.exp() * kl_k2(p, q)).sum(), exact)
    # token by token along the sequence: the sum of k3 has the same mean
    pt, qt = table.logp_ST.detach(), other.logp_ST.detach()
    assert torch.isclose((p.exp() * kl_k3(pt, qt).sum(-1)).sum(), exact)


# --- against TRL -----------------------------------------------------------------------------------------------------


def a_rollout(rewards, seed=0):
    """A rollout of random tokens of different lengths."""
    chance = torch.Generator().manual_seed(seed)

    def tokens(count):
        return torch.randint(10, 300, (count,), generator=chance).tolist()

    groups = []
    for p, of_group in enumerate(rewards):
        prompt = Prompt(p, Problem("question", "answer"), tokens(4 + 3 * p))
        written = [
            Generated(ids := tokens(3 + (5 * g + p) % 7), [-5.0] * len(ids), "end") for g in range(len(of_group))
        ]
        samples = [Sample("question", "completion")] * len(of_group)
        groups.append(Group(prompt, written, samples, [Score(reward) for reward in of_group]))
    return Rollout(groups)


REWARDS = [[1.0, 0.0, 0.5, 1.0], [0.0, 2.0, -1.0, 0.25]]


@pytest.fixture(scope="module")
def trl_grpo(tiny_model, tmp_path_factory):
    import datasets
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast
    from trl import GRPOConfig as TRLConfig
    from trl import GRPOTrainer

    def reward(completions, **_):
        return [float(len(text)) for text in completions]

    trainer = GRPOTrainer(
        model=LlamaForCausalLM.from_pretrained(tiny_model, dtype=torch.float32),
        args=TRLConfig(
            output_dir=str(tmp_path_factory.mktemp("trl")),
            per_device_train_batch_size=8,
            num_generations=4,
            max_completion_length=12,
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
    trainer.current_gradient_accumulation_steps = 1
    return trainer


def as_trl_takes_it(rollout, old_T, reference_T, advantage_B):
    """The same completions, padded side by side."""
    completions = [completion.ids for completion in rollout.completions]
    prompts = [list(group.prompt.ids) for group in rollout.groups for _ in group.completions]
    longest, width = max(map(len, completions)), max(map(len, prompts))

    def right(rows, fill=0):
        return torch.tensor([[*row, *[fill] * (longest - len(row))] for row in rows])

    def left(rows):
        return torch.tensor([[*[0] * (width - len(row)), *row] for row in rows])

    def per_token(values_T):
        return right([part.tolist() for part in values_T.split(rollout.length_B.tolist())], 0.0)

    return {
        "prompt_ids": left(prompts),
        "prompt_mask": left([[1] * len(row) for row in prompts]),
        "completion_ids": right(completions),
        "completion_mask": right([[1] * len(row) for row in completions]),
        "advantages": advantage_B,
        "num_items_in_batch": rollout.length_B.sum(),
        "old_per_token_logps": per_token(old_T),
        "ref_per_token_logps": per_token(reference_T),
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss_type", "normalisation", "ratio", "beta"),
    [
        ("dapo", "token", "token", 0.0),
        ("dapo", "token", "token", 0.3),
        ("grpo", "sequence", "token", 0.3),
        ("bnpo", "part", "token", 0.0),
        ("dr_grpo", "budget", "token", 0.3),
        ("grpo", "sequence", "sequence", 0.0),
    ],
)
def test_loss_and_gradient_equal_those_of_trl(trl_grpo, tiny_model, loss_type, normalisation, ratio, beta):
    rollout = a_rollout(REWARDS)
    model = load_model(tiny_model)
    part = rollout.part(range(8))
    chance = torch.Generator().manual_seed(3)
    now = model(part.batch).logp_L.detach()
    old, reference = (now + 0.3 * torch.randn(len(now), generator=chance) for _ in range(2))
    advantage = grpo.standardised(rollout.reward_PG).flatten().float()

    trl_grpo.loss_type, trl_grpo.importance_sampling_level, trl_grpo.beta = loss_type, ratio, beta
    limit = 0.05 if ratio == "sequence" else 0.2
    trl_grpo.epsilon_low = trl_grpo.epsilon_high = limit
    trl_grpo.model.zero_grad()
    expected = trl_grpo.compute_loss(trl_grpo.model, as_trl_takes_it(rollout, old, reference, advantage))
    expected.backward()

    logp = model(part.batch).logp_L
    log_ratio = grpo.RATIOS[ratio](logp - old, part.row_L, part.length_b)
    clip = {"clip_low": limit, "clip_high": limit}
    loss = grpo.clipped_loss(log_ratio, advantage[part.row_L], **clip)
    loss = loss + beta * KL_LOSSES["k3 corrected"](logp, reference, log_ratio)
    about = {"tokens": float(rollout.length_B.sum()), "completions": 8.0, "budget": 12, "parts": 1}
    total = (loss * grpo.NORMALISATIONS[normalisation](part.length_b, **about)[part.row_L]).sum()
    total.backward()
    assert grpo.is_clipped(log_ratio, advantage[part.row_L], **clip).any()
    assert math.isclose(total.item(), expected.item(), rel_tol=1e-5, abs_tol=1e-6)
    theirs = dict(trl_grpo.model.named_parameters())
    for name, parameter in model.named_parameters():
        assert (parameter.grad - theirs[name].grad).norm() < 1e-5 * theirs[name].grad.norm(), name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scale", "name"), [("group", "standardised"), ("none", "centred"), ("batch", "batch standardised")]
)
def test_advantages_equal_those_of_trl(trl_grpo, scale, name):
    seen = []

    def reward(completions, **_):
        seen[:] = [float(len(text) % 5) for text in completions]
        return list(seen)

    trl_grpo.scale_rewards, trl_grpo.reward_funcs[0] = scale, reward
    trl_grpo.beta = 0.0
    given = trl_grpo._generate_and_score_completions([{"prompt": "What is it?"}] * 4 + [{"prompt": "And now?"}] * 4)
    ours = grpo.ADVANTAGES[name](torch.tensor(seen).view(2, 4)).flatten()
    assert torch.allclose(given["advantages"], ours, rtol=1e-5, atol=1e-6)


# --- as a run --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_every_variant_learns_what_is_rewarded(tiny_model, tmp_path, variant):
    config = QUICK.replace(max_steps=26, batch_size=4, group_size=6, eval_every=0, sample_every=0, **VARIANTS[variant])
    events = work_here(make_rl_run(tmp_path, tiny_model, config))
    reward = series(events, "reward/mean")
    assert reward[1] < 0.6 and max(list(reward.values())[-4:]) > 0.8, reward
    assert events[-1].type == "finished"


def test_a_run_tells_what_the_page_shows(tiny_model, tmp_path):
    import json

    run = make_rl_run(tmp_path, tiny_model, QUICK.replace(kl_coefficient=0.1))
    events = work_here(run)
    for name in ("reward/mean", "kl/reference", "entropy/policy", "length/completion", "share/signal", "share/clipped"):
        assert list(series(events, name)) == [1, 2, 3, 4, 5, 6], name
    assert list(series(events, "accuracy/heldout")) == list(series(events, "accuracy/begun")) == [0, 3, 6]
    assert series(events, "kl/reference")[1] == pytest.approx(0, abs=1e-4)
    rows = [json.loads(line) for line in (run.path / "rollouts.jsonl").read_text().splitlines()]
    assert [(row["step"], row["prompt"]) for row in rows] == [(0, 0), (3, 0), (5, 0)]
    assert rows[0]["question"] == "What is 0 + 1?" and rows[0]["answer"] == "1"
    for sample in rows[1]["samples"]:
        names = ("tokens", "logp", "log_ratio", "kl", "entropy")
        assert len({len(sample[name]) for name in names}) == 1
        assert sample["right"] is False or sample["reward"] in (0, 1)
        assert all(value >= 0 for value in sample["entropy"])
    assert sum(sample["advantage"] for sample in rows[1]["samples"]) == pytest.approx(0, abs=1e-3)
    assert all(abs(change) < 1e-4 for sample in rows[0]["samples"] for change in sample["log_ratio"])


@pytest.mark.parametrize("lora", [None, LoRAConfig(r=4)])
def test_stopped_and_continued_equals_unbroken(tiny_model, tmp_path, lora):
    from tests.test_sft import StopAt

    config = QUICK.replace(lora=lora, epochs=2, minibatches=2, kl_coefficient=0.05, resampling=1)
    whole = make_rl_run(tmp_path, tiny_model, config)
    unbroken = work_here(whole)
    run = make_rl_run(tmp_path, tiny_model, config)
    before = StopAt(run, 3).work()
    assert before[-1].type == "stopped"
    run.clear_requests()
    run.update(resume=True, attempt=2)
    after = work_here(run)
    for name in ("reward/mean", "loss/policy", "grad_norm", "kl/reference", "accuracy/heldout", "tokens"):
        assert series(before, name) | series(after, name) == series(unbroken, name), name
    assert min(series(after, "loss/policy")) == 4
    texts = [(each.path / "rollouts.jsonl").read_text().splitlines() for each in (whole, run)]
    assert set(texts[0]) == set(texts[1])


def test_the_same_seed_gives_the_same_run_and_parts_the_same_step(tiny_model, tmp_path):
    first, again, cut, other = (
        series(work_here(make_rl_run(tmp_path, tiny_model, QUICK.replace(**changes))), "grad_norm")
        for changes in ({}, {}, {"gradient_accumulation": 3}, {"seed": 2})
    )
    assert first == again != other
    assert first[1] == pytest.approx(cut[1], rel=1e-4)


def test_groups_without_signal_are_left_out_exactly(tiny_model, tmp_path, monkeypatch):
    """The step is the same when every completion goes through the network."""
    config = QUICK.replace(max_steps=3, reward="contains:zzz|e", eval_every=0)
    skipped = series(work_here(make_rl_run(tmp_path, tiny_model, config)), "grad_norm")
    monkeypatch.setattr("lab.rl.Practice.taught", lambda self, rows, advantage_B: rows)
    everything = series(work_here(make_rl_run(tmp_path, tiny_model, config)), "grad_norm")
    assert skipped == pytest.approx(everything, rel=1e-4)


def test_resampling_looks_for_groups_with_signal(tiny_model, tmp_path):
    config = QUICK.replace(max_steps=3, reward="contains:e", eval_every=0, batch_size=3, group_size=2)
    plain = series(work_here(make_rl_run(tmp_path, tiny_model, config)), "share/signal")
    more = series(work_here(make_rl_run(tmp_path, tiny_model, config.replace(resampling=4))), "share/signal")
    assert sum(plain.values()) < sum(more.values())


def test_a_reward_that_fails_on_a_sample_stops_nothing(tiny_model, tmp_path):
    source = "def reward(completion):\n    if 'a' in completion: raise ValueError('no a')\n    return len(completion)"
    events = work_here(make_rl_run(tmp_path, tiny_model, QUICK.replace(reward=source, max_steps=2, eval_every=0)))
    assert 0 < series(events, "share/unjudged")[1] < 1
    assert events[-1].type == "finished"


def test_a_loss_that_is_not_a_number_is_reported_and_ends_the_run(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr(grpo, "clipped_loss", lambda log_ratio_L, advantage_L, **_: log_ratio_L * math.nan)
    run = make_rl_run(tmp_path, tiny_model, QUICK.replace(eval_every=0))
    with pytest.raises(RunError, match="loss is not a finite number at step 1"):
        work_here(run)
    assert math.isnan(series(read_events(run.events)[0], "loss/policy")[1])


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one(tiny_model, tmp_path):
    import time

    from lab.launcher import Launcher

    config = QUICK.replace(batch_size=4, kl_coefficient=0.05, normalisation="sequence", advantage="batch standardised")
    alone = work_here(make_rl_run(tmp_path / "one", tiny_model, config))
    run = make_rl_run(tmp_path / "two", tiny_model, config.replace(processes=2))
    launcher = Launcher()
    worker, _ = launcher.launch(run, 2)
    deadline = time.monotonic() + 300
    while launcher.is_alive(run, worker) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert launcher.kill(run, worker), "processes are left"
    events = read_events(run.events)[0]
    assert events[-1].type == "finished"
    for name in (
        "reward/mean",
        "loss/policy",
        "grad_norm",
        "kl/reference",
        "accuracy/heldout",
        "share/signal",
        "tokens",
    ):
        one, two = series(alone, name), series(events, name)
        assert one.keys() == two.keys()
        assert all(abs(one[step] - two[step]) < 1e-4 * max(1, abs(one[step])) for step in one), name
