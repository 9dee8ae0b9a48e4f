"""Rollouts: questions, what the policy writes after each of them, and what the reward says of it.

Completions are sampled from the model's own distribution (temperature 1, nothing filtered), because that is the
distribution whose gradient is estimated. The coins are functions of (seed, step, prompt, sample), so that a run that is
resumed, or shared among processes, samples what an unbroken one samples.

Shapes: `P` prompts, `G` completions per prompt, `B` = P · G completions, `T` tokens of all completions one after the
other, `b` completions in a part of a batch and `L` their tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lab.adapters import merged_adapters
from lab.batching import pack
from lab.causal_lm import PackedBatch
from lab.chance import Key
from lab.config import SamplingConfig
from lab.generate import Generated, complete
from lab.problem import Problem
from lab.rewards import Reward, Sample, Score

Decode = Callable[[list[int]], str]


@dataclass(frozen=True)
class Prompt:
    """A question as a problem and as the tokens that the policy reads. `number` is its place in the data."""

    number: int
    problem: Problem
    ids: Sequence[int]
    begun: str = ""
    """The first words of the answer, when they are given to the policy; their tokens are among `ids`."""


@dataclass(frozen=True)
class Group:
    """A question with its G completions and their scores."""

    prompt: Prompt
    completions: Sequence[Generated]
    samples: Sequence[Sample]
    scores: Sequence[Score]

    @property
    def rewards(self) -> list[float]:
        """One number each. A completion that could not be judged gets the mean of the others, so that it teaches
        nothing: its advantage is 0."""
        known = [score.value for score in self.scores if score.value == score.value]
        mean = sum(known) / len(known) if known else 0.0
        return [score.value if score.value == score.value else mean for score in self.scores]

    @property
    def has_signal(self) -> bool:
        """Whether the completions are not all equally good."""
        rewards = self.rewards
        return max(rewards) > min(rewards)


class Part(NamedTuple):
    """Some completions of a rollout as a batch, and where their tokens are: `place_L` among all T tokens of the
    rollout, `row_L` which of the part's completions each belongs to, `length_b` tokens of each completion."""

    batch: PackedBatch
    place_L: Tensor
    row_L: Tensor
    length_b: Tensor


@dataclass(frozen=True)
class Rollout:
    """Groups of completions. Completion number p · G + g is sample g of group p."""

    groups: Sequence[Group]

    @cached_property
    def completions(self) -> list[Generated]:
        """All B completions."""
        return [completion for group in self.groups for completion in group.completions]

    @cached_property
    def reward_PG(self) -> Tensor:
        """The rewards, in double precision."""
        return torch.tensor([group.rewards for group in self.groups], dtype=torch.float64)

    @cached_property
    def length_B(self) -> Tensor:
        """Tokens of each completion, the one that ends it counted in."""
        return torch.tensor([len(completion.ids) for completion in self.completions])

    @cached_property
    def sampled_logp_T(self) -> Tensor:
        """log p of every token under the policy that sampled it."""
        return torch.tensor([logp for completion in self.completions for logp in completion.logprobs])

    @cached_property
    def start_B(self) -> Tensor:
        """Where each completion's tokens begin among all T."""
        return self.length_B.cumsum(0) - self.length_B

    @cached_property
    def mask_BT(self) -> Tensor:
        """The completions side by side: which places hold a token."""
        return torch.arange(int(self.length_B.max())) < self.length_B[:, None]

    def padded(self, values_T: Tensor) -> Tensor:
        """What belongs to the tokens, side by side (B, longest), with 0 where there is none."""
        padded_BT = values_T.new_zeros(self.mask_BT.shape)
        padded_BT[self.mask_BT] = values_T
        return padded_BT

    def summed(self, values_T: Tensor) -> Tensor:
        """The sum over each completion (B) of what belongs to its tokens."""
        row_T = torch.arange(len(self.length_B)).repeat_interleave(self.length_B)
        return values_T.new_zeros(len(self.length_B)).index_add_(0, row_T, values_T)

    def part(self, rows: Sequence[int], device: torch.device | str = "cpu") -> Part:
        """Some completions, ready for the network: only their own tokens have a loss, not those of the question."""
        group = len(self.groups[0].completions)
        prompts = [list(self.groups[row // group].prompt.ids) for row in rows]
        written = [self.completions[row].ids for row in rows]
        sequences = [prompt + ids for prompt, ids in zip(prompts, written)]
        masks = [[False] * len(prompt) + [True] * len(ids) for prompt, ids in zip(prompts, written)]
        length_b = self.length_B[list(rows)]
        row_L = torch.arange(len(rows)).repeat_interleave(length_b)
        first_b = length_b.cumsum(0) - length_b
        place_L = torch.arange(len(row_L)) + (self.start_B[list(rows)] - first_b)[row_L]
        tensors = (place_L, row_L, length_b)
        return Part(pack(sequences, masks).to(device), *(tensor.to(device) for tensor in tensors))


def sample_rollouts(
    policy: Any,
    prompts: Sequence[Prompt],
    G: int,
    *,
    reward: Reward,
    decode: Decode,
    end_ids: Collection[int],
    max_new_tokens: int,
    seed: int,
    step: int,
) -> Rollout:
    """G completions of each prompt, judged. `policy` is a `CausalLM`; `decode` makes text of token ids."""
    sampling = SamplingConfig(temperature=1.0, max_new_tokens=max_new_tokens, seed=seed)
    keys = [Key(prompt.number, sample, step) for prompt in prompts for sample in range(G)]
    repeated = [prompt for prompt in prompts for _ in range(G)]
    written = write(policy, repeated, sampling, end_ids, keys)
    samples = [sample_of(prompt, completion, decode) for prompt, completion in zip(repeated, written)]
    scores = reward(samples)
    cuts = [slice(p * G, (p + 1) * G) for p in range(len(prompts))]
    return Rollout([Group(p, written[cut], samples[cut], scores[cut]) for p, cut in zip(prompts, cuts)])


def write(
    policy: Any,
    prompts: Sequence[Prompt],
    sampling: SamplingConfig,
    end_ids: Collection[int],
    keys: Sequence[Key] | None = None,
) -> list[Generated]:
    """What the policy writes after each prompt, adapters merged and dropout off; the policy is left as it was."""
    was_training = policy.training
    policy.eval()
    with merged_adapters(policy):
        written = complete(policy, [prompt.ids for prompt in prompts], sampling, end_ids=end_ids, keys=keys)
    policy.train(was_training)
    return written


def sample_of(prompt: Prompt, completion: Generated, decode: Decode) -> Sample:
    """A completion as the reward is shown it."""
    ended = completion.finish == "end"
    text = prompt.begun + decode(completion.ids[:-1] if ended else completion.ids)
    problem = prompt.problem
    return Sample(problem.question, text, problem.answer, problem.category, ended)
