"""REINFORCE and RLOO: make a completion more probable by as much as it was better than a baseline.

The gradient of the expected reward is an expectation that samples estimate, whatever is subtracted from the reward, as
long as that does not depend on the completion itself:

    ∇ E[r(y)] = E[(r(y) − b) ∇ log p(y)],    log p(y) = Σ_t log p(y_t | y_<t)                                       (1)

(Williams 1992, "Simple statistical gradient-following algorithms"). The closer b is to what was to be expected, the
less the estimate scatters. RLOO takes the mean reward of the other G − 1 completions of the question:

    A_i = r_i − 1/(G − 1) Σ_{j ≠ i} r_j                                                                             (2)

(Kool et al. 2019; Ahmadian et al. 2024, arXiv:2402.14740). The plain mean of the group, the completion itself counted
in, gives (G − 1)/G of that: same direction, shorter. For several optimizer steps on the same completions (1) becomes

    L_i = −min(ρ_i A_i, clip(ρ_i, 1 − ε_low, 1 + ε_high) A_i),    ρ_i = p(y_i) / p_old(y_i)                         (3)

whose gradient at ρ = 1 is (1). What keeps the policy near its reference is taken off the reward: β log p_old(y)/q(y),
of which the expectation is KL(p‖q) and so is the gradient (k1; Schulman 2020).

Left out: a learned baseline (that is `ppo.py`), discounting, normalised advantages.

Shapes: `P` questions, `G` completions each, `B` completions, `b` of them in a part of a batch with `L` tokens.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lab.checkpoint import Progress
from lab.config import ReinforceConfig
from lab.optimizers import adamw, schedule, set_learning_rate
from lab.rl import Practice
from lab.training import Stopwatch, TrainingRun


def leave_one_out(reward_PG: Tensor) -> Tensor:
    """Equation (2)."""
    G = reward_PG.shape[1]
    return reward_PG - (reward_PG.sum(1, keepdim=True) - reward_PG) / (G - 1)


def batch_baseline(reward_PG: Tensor) -> Tensor:
    """Equation (1) with the mean reward of all other completions of the step as b."""
    return reward_PG - (reward_PG.sum() - reward_PG) / (reward_PG.numel() - 1)


def no_baseline(reward_PG: Tensor) -> Tensor:
    """Equation (1) with b = 0."""
    return reward_PG


def of_sequences(values_L: Tensor, row_L: Tensor, count: int) -> Tensor:
    """The sum of what belongs to the tokens of each of `count` completions."""
    return values_L.new_zeros(count).index_add_(0, row_L, values_L)


def clipped_loss(log_ratio_b: Tensor, advantage_b: Tensor, *, clip_low: float, clip_high: float) -> Tensor:
    """Equation (3) for each completion."""
    ratio_b = log_ratio_b.exp()
    return -torch.min(ratio_b * advantage_b, ratio_b.clamp(1 - clip_low, 1 + clip_high) * advantage_b)


def is_clipped(log_ratio_b: Tensor, advantage_b: Tensor, *, clip_low: float, clip_high: float) -> Tensor:
    """The completions of which equation (3) takes the clipped, constant side."""
    ratio_b = log_ratio_b.exp()
    return ((ratio_b < 1 - clip_low) & (advantage_b < 0)) | ((ratio_b > 1 + clip_high) & (advantage_b > 0))


BASELINES = {"leave one out": leave_one_out, "batch": batch_baseline, "none": no_baseline}


def train(model: nn.Module, practice: Practice, config: ReinforceConfig, run: TrainingRun) -> Progress:
    """Train until the last step or a wish to stop, from the latest checkpoint if there is one; gives how far it is."""
    baseline, clip = BASELINES[config.baseline], {"clip_low": config.clip_low, "clip_high": config.clip_high}
    on_policy = config.epochs * config.minibatches == 1
    optimizers = [adamw(model.parameters(), config.learning_rate, config.optimizer)]
    progress = run.checkpoints.restore(model, optimizers)
    run.started(model)
    model, *optimizers = run.accelerator.prepare(model, *optimizers)
    watch = Stopwatch()

    while True:
        step = progress.step
        if run.is_due(step, config.eval_every):
            practice.exam.take(model, step)
        if config.sample_every and run.is_due(step, config.sample_every):
            run.show_answers(model, step)
        wish = run.wish()
        if wish or (step and run.is_due(step, config.checkpoint_every)):
            run.save(progress, model, optimizers)
        if wish == "pause":
            wish = run.pause(step)
        if wish == "stop" or step == config.max_steps:
            return progress

        watch.lap()
        run.seed(step)
        rate = set_learning_rate(optimizers, schedule(step, config.max_steps, config.optimizer))
        rollout = practice.sample(model, step)
        reference_T = practice.reference_logps(rollout, step)
        reward_PG = rollout.reward_PG
        if config.kl_coefficient and reference_T is not None:
            kl_B = rollout.summed(rollout.sampled_logp_T - reference_T)
            reward_PG = reward_PG - config.kl_coefficient * kl_B.view_as(reward_PG)
        advantage_B = practice.compared(reward_PG, baseline)
        practice.look(model, rollout, step, advantage_B)
        sampling = watch.lap()

        totals = torch.zeros(3)
        for rows in practice.minibatches(rollout, step):
            _, completions = practice.amount(rollout, rows)
            taught = practice.taught(rows, advantage_B)
            for picked in run.cut(taught, model, practice.parts(rollout, taught)):
                part = rollout.part(picked, run.accelerator.device)
                logp_L, _ = model(part.batch)
                old_L = logp_L.detach() if on_policy else rollout.sampled_logp_T.to(logp_L)[part.place_L]
                log_ratio_b = of_sequences(logp_L - old_L, part.row_L, len(picked))
                advantage_b = advantage_B.to(logp_L)[picked]
                loss = clipped_loss(log_ratio_b, advantage_b, **clip).sum() / completions
                run.backward(loss)
                clipped = is_clipped(log_ratio_b.detach(), advantage_b, **clip).sum()
                totals += torch.stack([loss.detach(), clipped, torch.tensor(len(picked))]).cpu()
            grad_norm = run.clip(model)
            practice.require_finite(step + 1, float(totals[0]), grad_norm, rate)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad()

        loss_sum, clipped_sum, learned = run.summed(totals).tolist()
        tokens = practice.tokens(rollout)
        progress = Progress(step + 1, progress.tokens + tokens)
        updating = watch.lap()
        run.report.metrics(
            progress.step,
            {
                **practice.measures(rollout, reference_T),
                "loss/policy": loss_sum / (config.epochs * config.minibatches),
                "share/clipped": clipped_sum / learned,
                "learning_rate": rate,
                "grad_norm": grad_norm,
                "tokens": progress.tokens,
                "tokens_per_second": tokens / (sampling + updating),
                "share/sampling": sampling / (sampling + updating),
            },
        )
