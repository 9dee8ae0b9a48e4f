"""A reward model: a number for a reply, higher for the one that people prefer.

A language model reads prompt and reply; a head turns its last state into a number r. By the model of Bradley & Terry
(1952) a person prefers one reply to the other with probability σ(r_c − r_r), and the labels are made probable:

    L = −log σ( r_c − r_r − m )                           m: by how much it is better, where people said that       (1)
    L = −½ log σ( r_a − r_b ) − ½ log σ( r_b − r_a )      for a tie: half a win for each                             (2)
    L + c · (r_c + r_r)²                                  centring, since (1) fixes differences only                 (3)

(1) is eq. 1 of Ouyang et al. 2022 (arXiv:2203.02155) with the margin of Touvron et al. 2023 (arXiv:2307.09288, eq. 2);
(3) Eisenstein et al. 2023 (arXiv:2312.09244). Of K replies to one prompt all pairs are one element of a batch: every
reply is read once, and a pair counts 1/(K choose 2). Shuffled apart they are learned by heart in one pass (Ouyang et
al., sec. 3.5).

Left out: ensembles, a loss of the language model beside this one. Dropout of the network itself is off.

Shapes: `C` comparisons of a part of a batch, `L` its texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lab.batching import batch_order
from lab.checkpoint import Progress
from lab.config import RewardModelConfig
from lab.intervals import accuracy_metrics
from lab.optimizers import adamw, schedule, set_learning_rate
from lab.preference_batching import Comparisons, Ranking, pack_rankings, ranking_batches, told_apart
from lab.training import Stopwatch, TrainingRun, require_finite


def preference_loss(chosen_C: Tensor, rejected_C: Tensor, *, margin_C: Tensor | float = 0.0) -> Tensor:
    """Equation (1)."""
    return -F.logsigmoid(chosen_C - rejected_C - margin_C)


def tie_loss(a_C: Tensor, b_C: Tensor) -> Tensor:
    """Equation (2)."""
    return -0.5 * (F.logsigmoid(a_C - b_C) + F.logsigmoid(b_C - a_C))


def centring_loss(chosen_C: Tensor, rejected_C: Tensor) -> Tensor:
    """(r_c + r_r)² of equation (3)."""
    return (chosen_C + rejected_C).square()


def calibration_error(difference_C: Tensor, *, bins: int = 10) -> float:
    """How far certainty is from being right: |mean σ(|d|) − share with d > 0| over bins of certainty from ½ to 1, their
    mean weighted by their pairs (Naeini et al. 2015; Guo et al. 2017, arXiv:1706.04599, eq. 3)."""
    certainty_C = difference_C.abs().sigmoid()
    bin_C = ((certainty_C - 0.5) * 2 * bins).long().clamp(max=bins - 1)
    gap_C = certainty_C - told_apart(difference_C)
    sums = torch.zeros(bins, dtype=certainty_C.dtype).index_add_(0, bin_C, gap_C)
    return float(sums.abs().sum() / len(difference_C))


def comparison_losses(model: nn.Module, part: Comparisons, centring: float) -> tuple[Tensor, Tensor, Tensor]:
    """The loss of each comparison (C), and the rewards of its better and of its worse reply."""
    reward_L = model(part.batch)
    chosen_C, rejected_C = reward_L[part.better_C], reward_L[part.worse_C]
    preferred_C = preference_loss(chosen_C, rejected_C, margin_C=part.margin_C)
    loss_C = torch.where(part.tie_C, tie_loss(chosen_C, rejected_C), preferred_C)
    return loss_C + centring * centring_loss(chosen_C, rejected_C), chosen_C, rejected_C


@torch.no_grad()
def measure(
    model: nn.Module, heldout: Sequence[Ranking], config: RewardModelConfig, run: TrainingRun
) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """The metrics of held-out comparisons, and the rewards of each; ties count for the loss only. Every process
    measures all of them."""
    model.eval()
    network, rows = run.accelerator.unwrap_model(model), []
    for part, comparisons in ranking_batches(heldout, config.batch_size):
        found = comparison_losses(network, comparisons.to(run.accelerator.device), config.centring)
        numbers = [number for ranking in part for number in ranking.numbers]
        for number, tie, *values in zip(numbers, comparisons.tie_C.tolist(), *(x.tolist() for x in found), strict=True):
            rows.append({"pair": number, "tie": tie, **dict(zip(("loss", "chosen", "rejected"), values))})
    model.train()
    judged = [row for row in rows if not row["tie"]]
    difference_C = torch.tensor([row["chosen"] - row["rejected"] for row in judged], dtype=torch.float64)
    accuracy = accuracy_metrics(float(told_apart(difference_C).sum()), len(judged))
    return accuracy | {
        "loss/heldout": sum(row["loss"] for row in rows) / len(rows),
        "margin/heldout": float(difference_C.mean()) if judged else 0.0,
        "calibration/heldout": calibration_error(difference_C) if judged else 0.0,
    }, rows


def train(
    model: nn.Module,
    rankings: Sequence[Ranking],
    heldout: Sequence[Ranking],
    config: RewardModelConfig,
    run: TrainingRun,
) -> Progress:
    """Train until the last step or a wish to stop, from the latest checkpoint if there is one; gives how far it came.

    Trains the parameters of `model` that require a gradient: all, or those of its adapters and the head.
    """
    optimizers = [adamw(model.parameters(), config.learning_rate, config.optimizer)]
    progress = run.checkpoints.restore(model, optimizers)
    run.started(model)
    model, *optimizers = run.accelerator.prepare(model, *optimizers)
    watch = Stopwatch()

    while True:
        step = progress.step
        if heldout and run.is_due(step, config.eval_every):
            metrics, rows = measure(model, heldout, config, run)
            run.report.metrics(step, metrics)
            run.keep("scores", rows)
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
        factor = schedule(step, config.max_steps, config.optimizer)
        set_learning_rate(optimizers, factor)
        indices = batch_order(config.seed, step, len(rankings), config.batch_size)
        totals = torch.zeros(4, dtype=torch.float64)
        for numbers in run.parts(indices, model):
            part = pack_rankings([rankings[n] for n in numbers]).to(run.accelerator.device)
            loss_C, chosen_C, rejected_C = comparison_losses(model, part, config.centring)
            run.backward((part.weight_C * loss_C).sum() / config.batch_size)
            with torch.no_grad():
                parts_C = torch.stack([loss_C, told_apart(chosen_C - rejected_C), chosen_C, rejected_C])
                totals += (part.weight_C * parts_C).sum(1).cpu()
        grad_norm = run.clip(model)
        loss, accuracy, chosen, rejected = (run.summed(totals) / config.batch_size).tolist()
        read = sum(rankings[n].tokens for n in indices)
        progress = Progress(step + 1, progress.tokens + read)
        run.report.metrics(
            progress.step,
            {
                "loss/train": loss,
                "accuracy/train": accuracy,
                "reward/chosen": chosen,
                "reward/rejected": rejected,
                "margin/train": chosen - rejected,
                "learning_rate": config.learning_rate * factor,
                "grad_norm": grad_norm,
                "tokens": progress.tokens,
                "epoch": progress.step * config.batch_size / len(rankings),
                "tokens_per_second": read / watch.lap(),
            },
        )
        require_finite(progress.step, loss, grad_norm, config.learning_rate * factor)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
