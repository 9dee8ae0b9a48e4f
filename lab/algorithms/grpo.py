"""Group relative policy optimization (GRPO) and its descendants: learn from how one's own answers compare.

G completions of a question are sampled and judged. Each is measured by its group, so that no value network is needed:

    A_i = (r_i − mean r) / (std r + ε)                          GRPO: Shao et al. 2024, arXiv:2402.03300, sec. 4.1   (1)
    A_i = r_i − mean r                                          Dr. GRPO: Liu et al. 2025, arXiv:2503.20783          (2)

and its tokens are made more or less probable, as long as they have not moved far from the policy that wrote them:

    ρ_t = p(x_t) / p_old(x_t)        L_t = −min(ρ_t A, clip(ρ_t, 1 − ε_low, 1 + ε_high) A)                           (3)
    ρ = exp(mean_t log p(x_t) / p_old(x_t))    for all tokens   GSPO: Zheng et al. 2025, arXiv:2507.18071            (4)

ε_high > ε_low is DAPO's clip-higher (Yu et al. 2025, arXiv:2503.14476). What the tokens are averaged over is a weight
per completion (5): it decides whether long answers count more. The distance to a reference may be added to L_t:
k2 = ½ (log p/q)² and k3 · ρ both follow the gradient of KL(p‖q); k3 alone follows that of KL(q‖p), because what is
differentiated inside an expectation over p is not the expectation. Groups whose answers are equally good have A = 0:
their gradient is exactly 0, so without a KL they are not computed.

Left out: overlong filtering and penalties, entropy bonuses, the reference's renewal during a run.

Shapes: `P` questions, `G` completions each, `B` completions, `b` of them in a part of a batch with `L` tokens.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lab.checkpoint import Progress
from lab.config import GRPOConfig
from lab.logprobs import KL_LOSSES
from lab.optimizers import adamw, schedule, set_learning_rate
from lab.rl import Practice
from lab.training import Stopwatch, TrainingRun

TINY = 1e-4


def standardised(reward_PG: Tensor) -> Tensor:
    """Equation (1), with the standard deviation of a sample (divided by G − 1)."""
    return centred(reward_PG) / (reward_PG.std(1, keepdim=True) + TINY)


def centred(reward_PG: Tensor) -> Tensor:
    """Equation (2)."""
    return reward_PG - reward_PG.mean(1, keepdim=True)


def batch_standardised(reward_PG: Tensor) -> Tensor:
    """Equation (1) with the mean of the group and the spread of all P · G rewards."""
    return centred(reward_PG) / (reward_PG.std() + TINY)


def token_ratio(change_L: Tensor, row_L: Tensor, length_b: Tensor) -> Tensor:
    """log ρ of equation (3) from log p − log p_old of each token: the same."""
    return change_L


def sequence_ratio(change_L: Tensor, row_L: Tensor, length_b: Tensor) -> Tensor:
    """log ρ of equation (4): for each token the mean over its completion, `row_L` saying which that is."""
    mean_b = change_L.new_zeros(len(length_b)).index_add_(0, row_L, change_L) / length_b
    return mean_b[row_L]


def clipped_loss(log_ratio_L: Tensor, advantage_L: Tensor, *, clip_low: float, clip_high: float) -> Tensor:
    """Equation (3) for each token."""
    ratio_L = log_ratio_L.exp()
    return -torch.min(ratio_L * advantage_L, ratio_L.clamp(1 - clip_low, 1 + clip_high) * advantage_L)


def is_clipped(log_ratio_L: Tensor, advantage_L: Tensor, *, clip_low: float, clip_high: float) -> Tensor:
    """The tokens of which equation (3) takes the clipped, constant side: they are not learned from."""
    ratio_L = log_ratio_L.exp()
    return ((ratio_L < 1 - clip_low) & (advantage_L < 0)) | ((ratio_L > 1 + clip_high) & (advantage_L > 0))


def per_token(length_b: Tensor, *, tokens: float, completions: float, budget: int, parts: int) -> Tensor:
    """(5) Every token of the step weighs the same (DAPO)."""
    return torch.full_like(length_b, 1 / tokens, dtype=torch.float32)


def per_sequence(length_b: Tensor, *, tokens: float, completions: float, budget: int, parts: int) -> Tensor:
    """(5) Every completion of the step weighs the same, whatever its length (GRPO)."""
    return 1 / (completions * length_b)


def per_budget(length_b: Tensor, *, tokens: float, completions: float, budget: int, parts: int) -> Tensor:
    """(5) As if every completion had the longest length there may be (Dr. GRPO)."""
    return torch.full_like(length_b, 1 / (completions * budget), dtype=torch.float32)


def per_part(length_b: Tensor, *, tokens: float, completions: float, budget: int, parts: int) -> Tensor:
    """(5) Every part of the batch weighs the same, and inside it every token (the mean of a micro-batch)."""
    return torch.full_like(length_b, 1 / (parts * float(length_b.sum())), dtype=torch.float32)


ADVANTAGES = {"standardised": standardised, "centred": centred, "batch standardised": batch_standardised}
RATIOS = {"token": token_ratio, "sequence": sequence_ratio}
NORMALISATIONS = {"token": per_token, "sequence": per_sequence, "budget": per_budget, "part": per_part}


def train(model: nn.Module, practice: Practice, config: GRPOConfig, run: TrainingRun) -> Progress:
    """Train until the last step or a wish to stop, from the latest checkpoint if there is one; gives how far it is."""
    advantage, ratio = ADVANTAGES[config.advantage], RATIOS[config.ratio]
    normalise, kl_loss = NORMALISATIONS[config.normalisation], KL_LOSSES[config.kl_estimator]
    clip = {"clip_low": config.clip_low, "clip_high": config.clip_high}
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
        rollout = practice.sample_until_signal(model, step, config.resampling)
        advantage_B = practice.compared(rollout.reward_PG, advantage)
        reference_T = practice.reference_logps(rollout, step)
        practice.look(model, rollout, step, advantage_B)
        sampling = watch.lap()

        totals = torch.zeros(3)
        for rows in practice.minibatches(rollout, step):
            length, completions = practice.amount(rollout, rows)
            taught = practice.taught(rows, advantage_B)
            parts = practice.parts(rollout, taught)
            for picked in run.cut(taught, model, parts):
                part = rollout.part(picked, run.accelerator.device)
                logp_L, _ = model(part.batch)
                old_L = logp_L.detach() if on_policy else rollout.sampled_logp_T.to(logp_L)[part.place_L]
                log_ratio_L = ratio(logp_L - old_L, part.row_L, part.length_b)
                advantage_L = advantage_B.to(logp_L)[picked][part.row_L]
                loss_L = clipped_loss(log_ratio_L, advantage_L, **clip)
                if config.kl_coefficient and reference_T is not None:
                    reference_L = reference_T.to(logp_L)[part.place_L]
                    loss_L = loss_L + config.kl_coefficient * kl_loss(logp_L, reference_L, log_ratio_L)
                weight_b = normalise(
                    part.length_b,
                    tokens=length,
                    completions=completions,
                    budget=config.max_new_tokens,
                    parts=min(parts, len(taught)),
                )
                loss = (loss_L * weight_b[part.row_L]).sum()
                run.backward(loss)
                clipped = is_clipped(log_ratio_L.detach(), advantage_L, **clip).sum()
                totals += torch.stack([loss.detach(), clipped, torch.tensor(len(loss_L))]).cpu()
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
