"""What the pages of reinforcement learning have around their loops: samples, a reference, measurements, a record.

As in `lab/training.py`, nothing here trains: a page calls these in plain sight.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lab.batching import batch_order
from lab.causal_lm import CausalLM
from lab.config.rollouts import RolloutConfig
from lab.exam import Exam, writer_in
from lab.logprobs import entropy, kl_k3
from lab.rewards import Reward, gold
from lab.rollout import Decode, Prompt, Rollout, sample_rollouts
from lab.rollout_record import RolloutRecord, TokenView
from lab.training import TrainingRun, require_finite

PART = 4096
"""Tokens that go through the network at once while it learns: more need more memory and are not faster."""


@dataclass(frozen=True)
class Practice:
    """Questions, what judges the answers, and what the policy is compared with. `reference` is the policy as it was."""

    prompts: Sequence[Prompt]
    exam: Exam
    reward: Reward
    decode: Decode
    end_ids: frozenset[int]
    reference: CausalLM
    config: RolloutConfig
    run: TrainingRun
    record: RolloutRecord = field(default_factory=RolloutRecord)

    # --- samples -----------------------------------------------------------------------------------------------------

    def sample(self, model: nn.Module, step: int) -> Rollout:
        """This process's share of the completions of a step, from the policy as it is now."""
        numbers = self.questions(step)
        mine = numbers[self.run.accelerator.process_index :: self.run.accelerator.num_processes]
        return self._of(model, mine, step)

    def sample_until_signal(self, model: nn.Module, step: int, rounds: int) -> Rollout:
        """As `sample`, but groups whose completions are all equally good are replaced by others, drawn up to `rounds`
        more times (Yu et al. 2025, sec. 3.2). Watched groups stay."""
        first, watched = self.sample(model, step), self.watched(step)
        wanted, seen = len(first.groups), {group.prompt.number for group in first.groups}
        kept = [group for group in first.groups if group.has_signal or group.prompt.number in watched]
        flat = [group for group in first.groups if group not in kept]
        accelerator = self.run.accelerator
        for number in range(rounds):
            if len(kept) >= wanted:
                break
            drawn = self._drawn(step * rounds + number, seed=self.config.seed + 1)
            mine = drawn[accelerator.process_index :: accelerator.num_processes]
            if not (new := [number for number in mine if number not in seen]):
                continue
            more = self._of(model, new, step).groups
            seen |= {group.prompt.number for group in more}
            kept += [group for group in more if group.has_signal]
        return Rollout([*kept, *flat][:wanted])

    def questions(self, step: int) -> list[int]:
        """Numbers of the questions of a step: a pure function of the seed and the step. At a look the watched ones
        stand in place of some others."""
        numbers = self._drawn(step, self.config.seed)
        watched = self.watched(step)
        return (watched + [number for number in numbers if number not in watched])[: len(numbers)]

    def _drawn(self, step: int, seed: int) -> list[int]:
        return list(dict.fromkeys(batch_order(seed, step, len(self.prompts), self.config.batch_size)))

    def watched(self, step: int) -> list[int]:
        """Numbers of the questions that are watched at this step."""
        if not self.config.sample_every or not (
            step % self.config.sample_every == 0 or step == self.config.max_steps - 1
        ):
            return []
        return list(range(min(self.config.watched, len(self.prompts))))

    def policy(self, model: nn.Module) -> Any:
        """The network that writes, out of what it is wrapped in."""
        return writer_in(self.run.accelerator.unwrap_model(model))

    def _of(self, model: nn.Module, numbers: Sequence[int], step: int) -> Rollout:
        return sample_rollouts(
            self.policy(model),
            [self.prompts[number] for number in numbers],
            self.config.group_size,
            reward=self.reward,
            decode=self.decode,
            end_ids=self.end_ids,
            max_new_tokens=self.config.max_new_tokens,
            seed=self.config.seed,
            step=step,
        )

    def minibatches(self, rollout: Rollout, step: int) -> Iterator[list[int]]:
        """The completions of each optimizer step, in an order that is a function of the seed and the step. Every
        process gives equally many."""
        config, count = self.config, len(rollout.completions)
        for epoch in range(config.epochs):
            order = np.arange(count)
            if config.minibatches > 1:
                order = np.random.default_rng((config.seed, step, epoch)).permutation(count)
            for number in range(config.minibatches):
                yield order[number :: config.minibatches].tolist()

    def taught(self, rows: list[int], advantage_B: Tensor) -> list[int]:
        """Those of `rows` that have something to teach. Without a KL in the loss an advantage of 0 gives a gradient of
        exactly 0; one completion is kept at least, so that every process takes part in the step."""
        if self.config.kl_coefficient:
            return rows
        return [row for row in rows if advantage_B[row] != 0] or rows[:1]

    def parts(self, rollout: Rollout, rows: Sequence[int]) -> int:
        """Into how many parts to cut these completions, so that each has about `PART` tokens, questions included."""
        group = len(rollout.groups[0].completions)
        read = sum(len(rollout.groups[row // group].prompt.ids) + len(rollout.completions[row].ids) for row in rows)
        return max(self.config.gradient_accumulation, -(-read // PART))

    def amount(self, rollout: Rollout, rows: Sequence[int]) -> tuple[float, float]:
        """Tokens and completions of an optimizer step, over all processes."""
        mine = torch.tensor([float(rollout.length_B[list(rows)].sum()), float(len(rows))], dtype=torch.float64)
        tokens, completions = self.run.summed(mine).tolist()
        return tokens, completions

    def compared(self, mine: Tensor, advantage: Callable[[Tensor], Tensor]) -> Tensor:
        """The advantages (B) of this process's completions, made of the rewards (P, G) of all processes."""
        accelerator = self.run.accelerator
        if accelerator.num_processes == 1:
            return advantage(mine).flatten().float()
        from accelerate.utils import gather_object

        counts = gather_object([len(mine)])
        before = sum(counts[: accelerator.process_index])
        everything = torch.tensor(gather_object(mine.tolist()), dtype=torch.float64)
        return advantage(everything)[before : before + len(mine)].flatten().float()

    # --- the reference -----------------------------------------------------------------------------------------------

    @torch.no_grad()
    def tokenwise(self, network: Any, rollout: Rollout) -> Tensor:
        """What a network says of every token of a rollout (T): log p, or the forecast of a value network."""
        found = torch.empty(int(rollout.length_B.sum()))
        everything = list(range(len(rollout.completions)))
        parts = self.parts(rollout, everything)
        for number in range(parts):
            if rows := everything[number::parts]:
                part = rollout.part(rows, self.run.accelerator.device)
                said = network(part.batch)
                found[part.place_L.cpu()] = (said[0] if isinstance(said, tuple) else said).float().cpu()
        return found

    def reference_logps(self, rollout: Rollout, step: int) -> Tensor | None:
        """log p of every token under the reference (T): at every step when the policy is held to it, else at looks."""
        if self.config.kl_coefficient or self.watched(step):
            return self.tokenwise(self.reference, rollout)
        return None

    # --- measurements ------------------------------------------------------------------------------------------------

    def measures(self, rollout: Rollout, reference_T: Tensor | None) -> dict[str, float]:
        """What the completions of a step say of the policy, over all processes."""
        golds = [gold(sample) for group in rollout.groups for sample in group.samples]
        known = [value for value in golds if value == value]
        kl = kl_k3(rollout.sampled_logp_T, reference_T) if reference_T is not None else torch.zeros(0)
        sums = [
            float(rollout.reward_PG.sum()),
            float(len(rollout.completions)),
            sum(known),
            float(len(known)),
            -float(rollout.sampled_logp_T.double().sum()),
            float(rollout.length_B.sum()),
            float(kl.double().sum()),
            float(len(kl)),
            float(sum(group.has_signal for group in rollout.groups)),
            float(len(rollout.groups)),
            float(sum(completion.finish != "end" for completion in rollout.completions)),
            float(sum(bool(score.error) for group in rollout.groups for score in group.scores)),
        ]
        reward, count, true, trues, surprise, tokens, kl_sum, kls, signal, groups, cut, errors = self.run.summed(
            torch.tensor(sums, dtype=torch.float64)
        ).tolist()
        values = {
            "reward/mean": reward / count,
            "entropy/policy": surprise / tokens,
            "length/completion": tokens / count,
            "share/cut": cut / count,
            "share/signal": signal / groups,
        }
        if trues:
            values["reward/gold"] = true / trues
        if kls:
            values["kl/reference"] = kl_sum / count
        if errors:
            values["share/unjudged"] = errors / count
        return values

    def tokens(self, rollout: Rollout) -> int:
        """Tokens of the questions and completions of a step, over all processes."""
        read = sum(len(group.prompt.ids) * len(group.completions) for group in rollout.groups)
        return int(self.run.summed(rollout.length_B.sum() + read))

    def require_finite(self, step: int, loss: float, grad_norm: float, learning_rate: float) -> None:
        """Raises `RunError` when the loss or the gradient is no number any more, and has the curves show it."""
        if not (math.isfinite(loss) and math.isfinite(grad_norm)):
            self.run.report.metrics(step, {"loss/policy": loss, "grad_norm": grad_norm})
        require_finite(step, loss, grad_norm, learning_rate)

    @torch.no_grad()
    def look(self, model: nn.Module, rollout: Rollout, step: int, advantage_B: Tensor) -> None:
        """Keep the watched groups of this step for the page. To be called before the policy is changed."""
        watched = set(self.watched(step)) if self.run.accelerator.is_main_process else set()
        policy = self.policy(model)
        for place, group in enumerate(rollout.groups):
            if group.prompt.number in watched:
                first = place * len(group.completions)
                views = [self._view(policy, group.prompt, one.ids) for one in group.completions]
                self.record.write(step, group, advantage_B[first : first + len(views)].tolist(), views)

    def _view(self, policy: Any, prompt: Prompt, written: Sequence[int]) -> TokenView:
        """What policy and reference make of each token of a completion: computed from all probabilities."""
        ids = torch.tensor([[*prompt.ids, *written]], device=self.run.accelerator.device)
        before = len(prompt.ids) - 1
        logp_TV, reference_TV = (
            network.logits(ids)[0, before:-1].float().log_softmax(-1) for network in (policy, self.reference)
        )
        of_token = torch.tensor(list(written), device=ids.device)[:, None]
        kl_T = (logp_TV.exp() * (logp_TV - reference_TV)).sum(-1)
        logp_T, reference_T = (table.gather(1, of_token)[:, 0] for table in (logp_TV, reference_TV))
        return TokenView(*(values.tolist() for values in (logp_T, logp_T - reference_T, kl_T, entropy(logp_TV))))
