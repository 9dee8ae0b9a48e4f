"""Self-improvement: learn from one's own answers, where most of them agree.

A model answers each question m times. What most of its answers conclude is taken for the truth, without anybody saying
what is true; the answers that conclude it are learned from as if they were examples:

    ŷ = argmax_a Σ_i [a(o_i) = a]        L = −1/M Σ log p(x_t | x_<t) over the answers with a(o_i) = ŷ              (1)

(Huang et al. 2022, "Large language models can self-improve", arXiv:2210.11610; the vote is self-consistency, Wang et
al. 2022, arXiv:2203.11171). It works as far as the model is right more often than wrong in one and the same way: where
the majority is wrong, it learns its own mistake. With `mixed`, each answer is learned in four forms (sec. 3.2 there):
worked and direct, each with an example before the question and without.

Left out: several rounds (start the next from this one's result), questions made up by the model, a temperature other
than 1.

Shapes: `L` tokens to predict in a part of a batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lab.batching import Example, batch_order, pack_examples
from lab.checkpoint import Progress
from lab.checks import final_answer
from lab.config import SelfImproveConfig
from lab.exam import Exam
from lab.optimizers import adamw, schedule, set_learning_rate
from lab.problem import canonical_answer
from lab.training import Stopwatch, TrainingRun, require_finite


@dataclass(frozen=True)
class Vote:
    """What m answers to a question conclude: each conclusion with its number of votes, the most frequent first."""

    counts: tuple[tuple[str, int], ...]
    answers: int

    @property
    def majority(self) -> str:
        """ŷ of (1): the conclusion with the most votes, of equal ones the first that was written; "" without any."""
        return self.counts[0][0] if self.counts else ""

    @property
    def share(self) -> float:
        """Votes for the majority per answer."""
        return self.counts[0][1] / self.answers if self.counts else 0.0


def conclusion(text: str) -> str:
    """a(o) of (1): what an answer concludes, in one form; "" when it concludes nothing."""
    return canonical_answer(final_answer(text, wants_number=False) or final_answer(text))


def vote(conclusions: Sequence[str]) -> Vote:
    """The vote of some conclusions; those that are "" have none."""
    counts = Counter(each for each in conclusions if each)
    return Vote(tuple(counts.most_common()), len(conclusions))


def kept(conclusions: Sequence[str], of: Vote, *, agreement: float) -> list[int]:
    """Numbers of the answers that are learned from: those of the majority, where it has so large a share."""
    if not of.majority or of.share < agreement:
        return []
    return [number for number, each in enumerate(conclusions) if each == of.majority]


def four_forms(question: str, text: str, answer: str, example: tuple[str, str, str]) -> list[list[tuple[str, str]]]:
    """An answer as four conversations of (question, reply) turns. `example` is another question with its worked text
    and its answer."""
    other, worked, other_answer = example
    direct, other_direct = f"The answer is {answer}.", f"The answer is {other_answer}."
    return [
        [(other, worked), (question, text)],
        [(other, other_direct), (question, direct)],
        [(f"{question} Let's think step by step.", text)],
        [(question, text)],
    ]


def reply_loss(logp_L: Tensor, tokens: int) -> Tensor:
    """Equation (1): what a part adds to the mean −log p over the `tokens` of its batch."""
    return -logp_L.sum() / tokens


def train(
    model: nn.Module, examples: Sequence[Example], exam: Exam, config: SelfImproveConfig, run: TrainingRun
) -> Progress:
    """Train on what was kept until the last step or a wish to stop, from the latest checkpoint if there is one; gives
    how far it is."""
    optimizers = [adamw(model.parameters(), config.learning_rate, config.optimizer)]
    progress = run.checkpoints.restore(model, optimizers)
    run.started(model)
    model, *optimizers = run.accelerator.prepare(model, *optimizers)
    watch = Stopwatch()

    while True:
        step = progress.step
        if run.is_due(step, config.eval_every):
            exam.take(model, step)
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
                "learning_rate": rate,
                "grad_norm": grad_norm,
                "tokens": progress.tokens,
                "epoch": progress.step * config.batch_size / len(examples),
                "tokens_per_second": read / watch.lap(),
            },
        )
        require_finite(progress.step, nats / tokens, grad_norm, rate)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
