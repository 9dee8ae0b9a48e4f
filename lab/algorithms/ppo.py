"""Proximal policy optimization (PPO): measure every token by a forecast of what was still to come.

A value network V forecasts, before each token, the reward that will follow. With r_t the reward of token t (all of it
at the last one, less what keeps the policy near its reference) and V = 0 after the end:

    δ_t = r_t + γ V_{t+1} − V_t          A_t = δ_t + γ λ A_{t+1}          R_t = A_t + V_t                            (1)

(generalized advantage estimation: Schulman et al. 2015, arXiv:1506.02438). Policy and forecast learn by

    L_t = −min(ρ_t A_t, clip(ρ_t, 1 − ε, 1 + ε) A_t),    ρ_t = p(x_t) / p_old(x_t)                                   (2)
    F_t = ½ max((V_t − R_t)², (V_old + clip(V_t − V_old, ±ε_v) − R_t)²)                                              (3)

(Schulman et al. 2017, arXiv:1707.06347; for language models Ziegler et al. 2019, arXiv:1909.08593, and Ouyang et al.
2022, arXiv:2203.02155). The distance to the reference q enters the reward as −β log p_old/q per token (k1), or L as
β k2 or β k3 · ρ: these follow the gradient of KL(p‖q); k3 alone in L follows that of KL(q‖p). With a target, β moves by
at most 2 % a step towards where the distance is kept (Ziegler et al., sec. 2.2):

    β ← β (1 + 0.1 clip(KL / target − 1, ±0.2))                                                                      (4)

Left out: a trunk shared by policy and value, mixing in pretraining text (PPO-ptx), reward whitening.

Shapes: `B` completions side by side with `T` places each, `L` tokens of a part of a batch.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lab.actor_critic import ActorCritic
from lab.checkpoint import Progress
from lab.config import PPOConfig
from lab.logprobs import KL_LOSSES, masked_mean
from lab.optimizers import adamw, schedule, set_learning_rate
from lab.rl import Practice
from lab.training import Stopwatch, TrainingRun


def token_rewards(reward_B: Tensor, mask_BT: Tensor, change_BT: Tensor, *, kl_coefficient: float) -> Tensor:
    """r_t of (1): the completion's reward at its last token, and −β log p_old/q (`change_BT`) at each."""
    last_BT = mask_BT & ~torch.cat([mask_BT[:, 1:], torch.zeros_like(mask_BT[:, :1])], 1)
    return torch.where(last_BT, reward_B[:, None], 0) - kl_coefficient * change_BT * mask_BT


def advantages(reward_BT: Tensor, value_BT: Tensor, mask_BT: Tensor, *, discount: float, smoothing: float) -> Tensor:
    """A_t of (1); 0 outside the mask."""
    advantage_BT = torch.zeros_like(reward_BT)
    after_B = value_after_B = reward_BT.new_zeros(len(reward_BT))
    for t in reversed(range(reward_BT.shape[1])):
        mask_B = mask_BT[:, t].to(reward_BT.dtype)
        delta_B = reward_BT[:, t] + discount * value_after_B - value_BT[:, t]
        after_B = (delta_B + discount * smoothing * after_B) * mask_B
        value_after_B = value_BT[:, t] * mask_B
        advantage_BT[:, t] = after_B
    return advantage_BT


def whitened(advantage_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """The advantages of all tokens with mean 0 and spread 1."""
    centred_BT = (advantage_BT - masked_mean(advantage_BT, mask_BT)) * mask_BT
    return centred_BT / (masked_mean(centred_BT.square(), mask_BT).sqrt() + 1e-8)


def policy_loss(log_ratio_L: Tensor, advantage_L: Tensor, *, clip: float) -> Tensor:
    """Equation (2) for each token."""
    ratio_L = log_ratio_L.exp()
    return -torch.min(ratio_L * advantage_L, ratio_L.clamp(1 - clip, 1 + clip) * advantage_L)


def is_clipped(log_ratio_L: Tensor, advantage_L: Tensor, *, clip: float) -> Tensor:
    """The tokens of which equation (2) takes the clipped, constant side."""
    ratio_L = log_ratio_L.exp()
    return ((ratio_L < 1 - clip) & (advantage_L < 0)) | ((ratio_L > 1 + clip) & (advantage_L > 0))


def value_loss(value_L: Tensor, old_L: Tensor, return_L: Tensor, *, clip: float) -> Tensor:
    """Equation (3) for each token."""
    clipped_L = old_L + (value_L - old_L).clamp(-clip, clip)
    return 0.5 * torch.max((value_L - return_L).square(), (clipped_L - return_L).square())


def adapted(kl_coefficient: float, kl: float, *, target: float) -> float:
    """Equation (4)."""
    return kl_coefficient * (1 + 0.1 * max(-0.2, min(0.2, kl / target - 1)))


def train(model: ActorCritic, practice: Practice, config: PPOConfig, run: TrainingRun) -> Progress:
    """Train policy and forecast until the last step or a wish to stop, from the latest checkpoint if there is one;
    gives how far it is."""
    policy, value = model.policy, model.value
    optimizers = [
        adamw(policy.parameters(), config.learning_rate, config.optimizer),
        adamw(value.parameters(), config.value_learning_rate, config.optimizer),
    ]
    progress = run.checkpoints.restore(model, optimizers)
    run.started(model)
    wrapped, *optimizers = run.accelerator.prepare(model, *optimizers)
    in_loss, in_reward = (config.kl_in != "reward"), (config.kl_in == "reward")
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
        set_learning_rate(optimizers, schedule(step, config.max_steps, config.optimizer))
        rate = optimizers[0].param_groups[0]["lr"]
        beta = progress.carried.get("kl_coefficient", config.kl_coefficient)
        rollout = practice.sample(model, step)
        reference_T, value_T = practice.reference_logps(rollout, step), practice.tokenwise(value, rollout)
        change_T = torch.zeros_like(value_T) if reference_T is None else rollout.sampled_logp_T - reference_T
        mask_BT, value_BT, change_BT = rollout.mask_BT, rollout.padded(value_T), rollout.padded(change_T)
        reward_B = rollout.reward_PG.flatten().float()
        reward_BT = token_rewards(reward_B, mask_BT, change_BT, kl_coefficient=beta * in_reward)
        advantage_BT = advantages(reward_BT, value_BT, mask_BT, discount=config.discount, smoothing=config.smoothing)
        return_T = (advantage_BT + value_BT)[mask_BT]
        advantage_T = (whitened(advantage_BT, mask_BT) if config.whiten else advantage_BT)[mask_BT]
        practice.look(model, rollout, step, rollout.summed(advantage_T) / rollout.length_B)
        sampling = watch.lap()

        totals = torch.zeros(4)
        for rows in practice.minibatches(rollout, step):
            tokens, _ = practice.amount(rollout, rows)
            for picked in run.cut(rows, wrapped, practice.parts(rollout, rows)):
                part = rollout.part(picked, run.accelerator.device)
                logp_L, _, value_L = wrapped(part.batch)
                old_L, old_value_L, advantage_L, return_L = (
                    values_T.to(logp_L)[part.place_L]
                    for values_T in (rollout.sampled_logp_T, value_T, advantage_T, return_T)
                )
                log_ratio_L = logp_L - old_L
                loss_L = policy_loss(log_ratio_L, advantage_L, clip=config.clip)
                if in_loss and reference_T is not None:
                    reference_L = reference_T.to(logp_L)[part.place_L]
                    loss_L = loss_L + beta * KL_LOSSES[config.kl_in](logp_L, reference_L, log_ratio_L)
                forecast_L = value_loss(value_L, old_value_L, return_L, clip=config.value_clip)
                run.backward((loss_L + forecast_L).sum() / tokens)
                clipped = is_clipped(log_ratio_L.detach(), advantage_L, clip=config.clip).sum()
                sums = [loss_L.detach().sum(), forecast_L.detach().sum(), clipped, torch.tensor(len(loss_L))]
                totals += torch.stack([each.cpu() for each in sums])
            grad_norm, _ = run.clip(policy), run.clip(value)
            practice.require_finite(step + 1, float(totals[:2].sum()), grad_norm, rate)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad()

        loss_sum, forecast_sum, clipped_sum, learned = run.summed(totals).tolist()
        read = practice.tokens(rollout)
        values = practice.measures(rollout, reference_T)
        if config.kl_target and reference_T is not None:
            beta = adapted(beta, values["kl/reference"], target=config.kl_target)
        progress = Progress(step + 1, progress.tokens + read, {"kl_coefficient": beta})
        updating = watch.lap()
        run.report.metrics(
            progress.step,
            {
                **values,
                "loss/policy": loss_sum / learned,
                "loss/value": forecast_sum / learned,
                "kl/coefficient": beta,
                "share/clipped": clipped_sum / learned,
                "learning_rate": rate,
                "grad_norm": grad_norm,
                "tokens": progress.tokens,
                "tokens_per_second": read / (sampling + updating),
                "share/sampling": sampling / (sampling + updating),
            },
        )
