"""Pretraining: learn to predict the next token of documents.

The network gives every token a probability, from the tokens before it in the same document; training makes the tokens
that really follow more probable:

    L = −1/M · Σ log p(x_t | x_<t)                                                                              (1)

over the M tokens of a batch (Bengio et al. 2003, "A Neural Probabilistic Language Model"; Radford et al. 2018,
"Improving Language Understanding by Generative Pre-Training"). In bits per byte of text, the loss can be compared
between tokenizers:

    bits per byte = Σ −log₂ p / bytes of the text                                                               (2)

Muon (Jordan et al. 2024) trains the matrices, AdamW the rest. Documents are packed into windows without padding and do
not see each other. Left out: dropout (a document is seen a few times only), weight averaging, z-loss.

Shapes: `L` tokens to predict in a part of a batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lab.batching import batch_order, pack
from lab.causal_lm import PackedBatch
from lab.checkpoint import Progress
from lab.config import PretrainConfig
from lab.optimizers import muon_and_adamw, schedule, set_learning_rate
from lab.training import Stopwatch, TrainingRun, heldout_nats, require_finite
from lab.windows import Windows


def next_token_loss(logp_L: Tensor, tokens: int) -> Tensor:
    """Equation (1): what a part adds to the mean −log p over the `tokens` of its batch."""
    return -logp_L.sum() / tokens


def bits_per_byte(nats: float, size: int) -> float:
    """Equation (2), for a text of `size` bytes whose tokens take `nats` in all."""
    return nats / math.log(2) / size


def train(
    model: nn.Module,
    windows: Windows,
    heldout: Sequence[PackedBatch],
    heldout_bytes: int,
    config: PretrainConfig,
    run: TrainingRun,
) -> Progress:
    """Train until the last step or a wish to stop, from the latest checkpoint if there is one; gives how far it came.

    `heldout` holds documents of `heldout_bytes` bytes that are measured and never trained on.
    """
    optimizers = muon_and_adamw(model, config.matrix_learning_rate, config.learning_rate, config.optimizer)
    progress = run.checkpoints.restore(model, optimizers)
    run.started(model)
    model, *optimizers = run.accelerator.prepare(model, *optimizers)
    watch = Stopwatch()

    while True:
        step = progress.step
        if heldout and run.is_due(step, config.eval_every):
            nats, count = heldout_nats(model, heldout, run)
            values = {"loss/heldout": nats / count, "bits_per_byte/heldout": bits_per_byte(nats, heldout_bytes)}
            run.report.metrics(step, values)
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
        factor = schedule(step, config.max_steps, config.optimizer)
        set_learning_rate(optimizers, factor)
        indices = batch_order(config.seed, step, len(windows), config.batch_size)
        tokens = sum(windows.tokens(i) for i in indices)
        totals = torch.zeros(2)
        for part in run.parts(indices, model):
            batch = pack([piece for i in part for piece in windows[i]]).to(run.accelerator.device)
            logp_L, correct_L = model(batch)
            run.backward(next_token_loss(logp_L, tokens))
            totals += torch.stack([-logp_L.detach().sum(), correct_L.sum()]).cpu()
        grad_norm = run.clip(model)
        nats, correct = run.summed(totals).tolist()
        progress = Progress(step + 1, progress.tokens + tokens)
        run.report.metrics(
            progress.step,
            {
                "loss/train": nats / tokens,
                "accuracy/train": correct / tokens,
                "learning_rate": config.learning_rate * factor,
                "grad_norm": grad_norm,
                "tokens": progress.tokens,
                "epoch": progress.step * config.batch_size / len(windows),
                "tokens_per_second": tokens / watch.lap(),
            },
        )
        require_finite(progress.step, nats / tokens, grad_norm, config.learning_rate * factor)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
