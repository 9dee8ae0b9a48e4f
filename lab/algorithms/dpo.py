"""Direct preference optimisation (DPO): make the reply that people prefer more probable, and the other one less.

For a prompt x with a chosen reply y_c and a rejected one y_r, against the fixed model π_ref that training began with:

    r(y) = β · log π(y|x) / π_ref(y|x)             the reward that π would be optimal for                  (1)
    L    = −log σ( r(y_c) − r(y_r) )                                                                       (2)

(Rafailov et al. 2023, "Direct Preference Optimization: Your Language Model is Secretly a Reward Model",
arXiv:2305.18290, eq. 5 and 7). It has the goal of RLHF, the reward of a Bradley–Terry model less β · KL(π‖π_ref), with
neither a reward model nor sampling. log π(y|x) is the sum over the tokens of the reply. Variants: IPO (Azar et al.
2023, arXiv:2310.12036, eq. 17) aims at a fixed margin instead of an ever larger one; DPO on log-probabilities per
token (Lambert et al. 2024, arXiv:2411.15124, sec. 5.1) does not reward length. Left out: label smoothing, a mixed-in
SFT loss, references that move. Dropout of the network itself is off.

Shapes: `B` pairs of a part of a batch, `E` pairs of the whole set, `L` tokens of replies.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lab.batching import batch_order, pack_examples
from lab.checkpoint import Progress
from lab.config import DPOConfig
from lab.intervals import accuracy_metrics
from lab.optimizers import adamw, schedule, set_learning_rate
from lab.preference_batching import EncodedPair, length_batches, told_apart
from lab.training import Stopwatch, TrainingRun, require_finite


def dpo_loss(
    policy_chosen_B: Tensor,
    policy_rejected_B: Tensor,
    reference_chosen_B: Tensor,
    reference_rejected_B: Tensor,
    *,
    beta: float,
) -> tuple[Tensor, Tensor]:
    """Equation (2), and the margin r(y_c) − r(y_r), from the log-probabilities of whole replies."""
    margin_B = beta * ((policy_chosen_B - reference_chosen_B) - (policy_rejected_B - reference_rejected_B))
    return -F.logsigmoid(margin_B), margin_B


def ipo_loss(
    policy_chosen_B: Tensor,
    policy_rejected_B: Tensor,
    reference_chosen_B: Tensor,
    reference_rejected_B: Tensor,
    *,
    beta: float,
    chosen_tokens_B: Tensor,
    rejected_tokens_B: Tensor,
) -> tuple[Tensor, Tensor]:
    """(h − 1/(2β))² with h the difference of the log-ratios, each divided by the tokens of its reply; and β · h."""
    chosen_B = (policy_chosen_B - reference_chosen_B) / chosen_tokens_B
    rejected_B = (policy_rejected_B - reference_rejected_B) / rejected_tokens_B
    return (chosen_B - rejected_B - 1 / (2 * beta)).square(), beta * (chosen_B - rejected_B)


def length_normalised_dpo_loss(
    policy_chosen_B: Tensor,
    policy_rejected_B: Tensor,
    reference_chosen_B: Tensor,
    reference_rejected_B: Tensor,
    *,
    beta: float,
    chosen_tokens_B: Tensor,
    rejected_tokens_B: Tensor,
) -> tuple[Tensor, Tensor]:
    """Equation (2) with every log-probability divided by the tokens of its reply; β is then larger, 5 for instance."""
    policy = policy_chosen_B / chosen_tokens_B, policy_rejected_B / rejected_tokens_B
    return dpo_loss(*policy, reference_chosen_B / chosen_tokens_B, reference_rejected_B / rejected_tokens_B, beta=beta)


LOSSES: dict[str, Any] = {"dpo": dpo_loss, "ipo": ipo_loss, "length_normalised": length_normalised_dpo_loss}
PER_TOKEN = ("ipo", "length_normalised")


def reply_logps(model: nn.Module, pairs: Sequence[EncodedPair], run: TrainingRun) -> tuple[Tensor, Tensor]:
    """log π(y|x) of the chosen and of the rejected replies: two tensors (B)."""
    examples = [*(pair.chosen for pair in pairs), *(pair.rejected for pair in pairs)]
    logp_L, _ = model(pack_examples(examples).to(run.accelerator.device))
    sums = torch.stack([logp.sum() for logp in logp_L.split([example.targets for example in examples])])
    return sums[: len(pairs)], sums[len(pairs) :]


@torch.no_grad()
def reference_logps(
    model: nn.Module, pairs: Sequence[EncodedPair], wanted: Collection[int], size: int, run: TrainingRun
) -> Tensor:
    """log π_ref of both replies (E, 2) of the wanted pairs, `size` pairs at a time. The processes share the work."""
    model.eval()
    found = torch.zeros(len(pairs), 2, dtype=torch.float64)
    for part in run.share(length_batches(pairs, wanted, size)):
        found[part] = torch.stack(reply_logps(model, [pairs[n] for n in part], run), 1).cpu().double()
    model.train()
    return run.summed(found).float()


def pair_losses(
    model: nn.Module, pairs: Sequence[EncodedPair], reference_B2: Tensor, config: DPOConfig, run: TrainingRun
) -> tuple[Tensor, Tensor]:
    """The loss of each pair (B), and the rewards of equation (1) of both its replies (B, 2)."""
    policy = reply_logps(model, pairs, run)
    reference_B2, sizes = reference_B2.to(run.accelerator.device), {}
    if config.variant in PER_TOKEN:
        tokens = torch.tensor([(p.chosen.targets, p.rejected.targets) for p in pairs], device=run.accelerator.device)
        sizes = {"chosen_tokens_B": tokens[:, 0], "rejected_tokens_B": tokens[:, 1]}
    loss_B, _ = LOSSES[config.variant](*policy, *reference_B2.unbind(1), beta=config.beta, **sizes)
    return loss_B, config.beta * (torch.stack(policy, 1).detach() - reference_B2)


@torch.no_grad()
def measure(
    model: nn.Module, pairs: Sequence[EncodedPair], reference_E2: Tensor, config: DPOConfig, run: TrainingRun
) -> dict[str, float]:
    """The metrics of held-out pairs."""
    model.eval()
    network = run.accelerator.unwrap_model(model)
    totals = torch.zeros(3, dtype=torch.float64)
    for part in run.share(length_batches(pairs, range(len(pairs)), config.batch_size)):
        loss_B, reward_B2 = pair_losses(network, [pairs[n] for n in part], reference_E2[part], config, run)
        margin_B = reward_B2[:, 0] - reward_B2[:, 1]
        totals += torch.stack([loss_B.sum(), told_apart(margin_B).sum(), margin_B.sum()]).cpu()
    model.train()
    loss, count, margin = run.summed(totals).tolist()
    n = len(pairs)
    return {"loss/heldout": loss / n, "margin/heldout": margin / n, **accuracy_metrics(count, n)}


def train(
    model: nn.Module, pairs: Sequence[EncodedPair], heldout: Sequence[EncodedPair], config: DPOConfig, run: TrainingRun
) -> Progress:
    """Train until the last step or a wish to stop, from the latest checkpoint if there is one; gives how far it came.

    `model` comes in as the reference. Trains those of its parameters that require a gradient: all, or its adapters'.
    """
    model.to(run.accelerator.device)
    orders = [batch_order(config.seed, step, len(pairs), config.batch_size) for step in range(config.max_steps)]
    wanted = {number for order in orders for number in order} | {len(pairs) + n for n in range(len(heldout))}
    both, size = [*pairs, *heldout], config.batch_size
    reference_E2 = run.once("reference", lambda: reference_logps(model, both, wanted, size, run))
    optimizers = [adamw(model.parameters(), config.learning_rate, config.optimizer)]
    progress = run.checkpoints.restore(model, optimizers)
    run.started(model)
    model, *optimizers = run.accelerator.prepare(model, *optimizers)
    watch = Stopwatch()

    while True:
        step = progress.step
        if heldout and run.is_due(step, config.eval_every):
            run.report.metrics(step, measure(model, heldout, reference_E2[len(pairs) :], config, run))
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
        totals = torch.zeros(4, dtype=torch.float64)
        for part in run.parts(orders[step], model):
            loss_B, reward_B2 = pair_losses(model, [pairs[n] for n in part], reference_E2[part], config, run)
            run.backward(loss_B.sum() / config.batch_size)
            told = told_apart(reward_B2[:, 0] - reward_B2[:, 1])
            totals += torch.stack([loss_B.detach().sum(), told.sum(), *reward_B2.sum(0)]).cpu()
        grad_norm = run.clip(model)
        loss, accuracy, chosen, rejected = (run.summed(totals) / config.batch_size).tolist()
        read = sum(pairs[number].tokens for number in orders[step])
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
                "epoch": progress.step * config.batch_size / len(pairs),
                "tokens_per_second": read / watch.lap(),
            },
        )
        require_finite(progress.step, loss, grad_norm, config.learning_rate * factor)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
