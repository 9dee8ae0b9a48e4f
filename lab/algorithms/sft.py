"""Supervised fine-tuning (SFT): learn to answer as the assistant does in example conversations.

A conversation is one sequence of tokens, written out by the model's chat template. Its loss is that of pretraining, but
only over the tokens the assistant says (a mask m_t = 1), the one that ends a reply included:

    L = −1/M · Σ m_t · log p(x_t | x_<t),    M = Σ m_t over the batch                                           (1)

(Ouyang et al. 2022, "Training language models to follow instructions with human feedback", arXiv:2203.02155, sec. 3.5;
Wei et al. 2021, arXiv:2109.01652). All tokens of a batch count the same, so a long reply weighs more than a short one.
With LoRA (Hu et al. 2021, arXiv:2106.09685) the same loss trains two thin matrices beside each frozen one.

Left out: loss on what the user says, NEFTune noise, several epochs' worth of example re-weighting.

Shapes: `L` tokens to predict in a part of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lab.batching import Example, batch_order, pack_examples
from lab.causal_lm import PackedBatch
from lab.checkpoint import Progress
from lab.config import SFTConfig
from lab.optimizers import adamw, schedule, set_learning_rate
from lab.training import Stopwatch, TrainingRun, heldout_nats, require_finite


def reply_loss(logp_L: Tensor, tokens: int) -> Tensor:
    """Equation (1): what a part adds to the mean −log p over the `tokens` with m_t = 1 of its batch."""
    return -logp_L.sum() / tokens


def train(
    model: nn.Module, examples: Sequence[Example], heldout: Sequence[PackedBatch], config: SFTConfig, run: TrainingRun
) -> Progress:
    """Train until the last step or a wish to stop, from the latest checkpoint if there is one; gives how far it came.

    Trains the parameters of `model` that require a gradient: all, or those of its adapters.
    """
    optimizers = [adamw(model.parameters(), config.learning_rate, config.optimizer)]
    progress = run.checkpoints.restore(model, optimizers)
    run.started(model)
    model, *optimizers = run.accelerator.prepare(model, *optimizers)
    watch = Stopwatch()

    while True:
        step = progress.step
        if heldout and run.is_due(step, config.eval_every):
            nats, count = heldout_nats(model, heldout, run)
            run.report.metrics(step, {"loss/heldout": nats / count})
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
        indices = batch_order(config.seed, step, len(examples), config.batch_size)
        tokens = sum(examples[i].targets for i in indices)
        totals = torch.zeros(2)
        for part in run.parts(indices, model):
            batch = pack_examples([examples[i] for i in part]).to(run.accelerator.device)
            logp_L, correct_L = model(batch)
            run.backward(reply_loss(logp_L, tokens))
            totals += torch.stack([-logp_L.detach().sum(), correct_L.sum()]).cpu()
        grad_norm = run.clip(model)
        nats, correct = run.summed(totals).tolist()
        read = sum(len(examples[i].ids) for i in indices)
        progress = Progress(step + 1, progress.tokens + read)
        run.report.metrics(
            progress.step,
            {
                "loss/train": nats / tokens,
                "accuracy/train": correct / tokens,
                "learning_rate": config.learning_rate * factor,
                "grad_norm": grad_norm,
                "tokens": progress.tokens,
                "epoch": progress.step * config.batch_size / len(examples),
                "tokens_per_second": read / watch.lap(),
            },
        )
        require_finite(progress.step, nats / tokens, grad_norm, config.learning_rate * factor)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
