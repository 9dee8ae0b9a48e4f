"""Two networks that are trained side by side: a policy that writes and a value network that forecasts its reward.

Shapes: `L` tokens.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from lab.causal_lm import CausalLM, PackedBatch
from lab.scalar_head import RewardModel


class PolicyAndValue(NamedTuple):
    """log p of each token, whether it was the first choice, and the forecast made before it was written."""

    logp_L: Tensor
    correct_L: Tensor
    value_L: Tensor


class ActorCritic(nn.Module):
    """The pair as one module, so that wrappers of modules see all of it. They share no weights: what the forecast
    learns does not move the policy."""

    def __init__(self, policy: CausalLM, value: RewardModel) -> None:
        super().__init__()
        self.policy = policy
        self.value = value

    def forward(self, batch: PackedBatch) -> PolicyAndValue:
        logp_L, correct_L = self.policy(batch)
        return PolicyAndValue(logp_L, correct_L, self.value(batch))
