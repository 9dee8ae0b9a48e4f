"""From logits to the next token: temperature, top-k, top-p and min-p, in this order, and one coin per row.

Everything works on weights: probabilities of each row that need not add up to 1, so that a filter only sets the weights
of what it drops to 0. Shapes: `B` rows, `V` vocabulary. Pure functions of tensors; nothing is random in here.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from lab.config import SamplingConfig
from lab.errors import ModelError


class Choice(NamedTuple):
    """The token chosen in each row, and its log-probability under the raw model (temperature 1, nothing dropped)."""

    ids_B: Tensor
    logp_B: Tensor
    log_total_B: Tensor
    """log Σ exp(logit): a raw log-probability is a logit minus this."""


def choose(logits_BV: Tensor, sampling: SamplingConfig, uniform_B: Tensor) -> Choice:
    """The next token of each row: the most probable at temperature 0, else where the coin `uniform_B` falls.

    Raises `ModelError` when the logits are not finite.
    """
    logits_BV = logits_BV.float()
    peak_B = logits_BV.amax(-1, keepdim=True)
    weights_BV = (logits_BV - peak_B).exp_()
    log_total_B = peak_B[:, 0] + weights_BV.sum(-1).log()
    if not bool(log_total_B.isfinite().all()):
        raise ModelError("The model's output is not a number (NaN or infinity): its weights are broken.")
    if sampling.temperature == 0:
        ids_B = logits_BV.argmax(-1)
    else:
        if sampling.temperature != 1:
            weights_BV = ((logits_BV - peak_B) / sampling.temperature).exp_()
        ids_B = pick(filtered(weights_BV, sampling), uniform_B)
    return Choice(ids_B, logits_BV.gather(-1, ids_B[:, None])[:, 0] - log_total_B, log_total_B)


def filtered(weights_BV: Tensor, sampling: SamplingConfig) -> Tensor:
    """The weights with 0 for every token that top-k, then top-p, then min-p drop."""
    if 0 < sampling.top_k < weights_BV.shape[-1]:
        weights_BV = keep_top_k(weights_BV, sampling.top_k)
    if sampling.top_p < 1:
        weights_BV = keep_top_p(weights_BV, sampling.top_p)
    if sampling.min_p > 0:
        weights_BV = keep_min_p(weights_BV, sampling.min_p)
    return weights_BV


def keep_top_k(weights_BV: Tensor, k: int) -> Tensor:
    """Keep the k largest weights of each row, and what equals the last of them."""
    smallest_B1 = weights_BV.topk(k).values[:, -1:]
    return weights_BV.masked_fill(weights_BV < smallest_B1, 0)


def keep_top_p(weights_BV: Tensor, p: float) -> Tensor:
    """Keep the fewest largest weights that make up the share p of each row's total (Holtzman et al. 2020,
    arXiv:1904.09751), and what equals the smallest of them."""
    needed_B1 = p * weights_BV.sum(-1, keepdim=True)
    count = min(128, weights_BV.shape[-1])
    largest_BK = weights_BV.topk(count).values
    reached_BK = largest_BK.cumsum(-1) >= needed_B1
    smallest_B1 = largest_BK.gather(-1, reached_BK.int().argmax(-1, keepdim=True))
    short_R = (~reached_BK[:, -1]).nonzero()[:, 0]
    if len(short_R):  # more than 128 are needed, which is rare: sorting a whole vocabulary would be slow
        smallest_B1[short_R] = _largest_threshold(weights_BV[short_R], needed_B1[short_R])
    return weights_BV.masked_fill(weights_BV < smallest_B1, 0)


def _largest_threshold(weights_BV: Tensor, needed_B1: Tensor) -> Tensor:
    """The largest threshold (to 6 digits) at which the weights at or above it still add up to what is needed: found by
    halving an interval of its logarithm, from a weight that no longer counts up to the largest."""
    low_B1 = weights_BV.amax(-1, keepdim=True).log() - 30
    above_BV, step = torch.empty_like(weights_BV), 30.0
    for _ in range(24):
        step /= 2
        torch.ge(weights_BV, (low_B1 + step).exp(), out=above_BV)
        enough_B1 = torch.linalg.vecdot(weights_BV, above_BV)[:, None] >= needed_B1
        low_B1 = torch.where(enough_B1, low_B1 + step, low_B1)
    return low_B1.exp()


def keep_min_p(weights_BV: Tensor, share: float) -> Tensor:
    """Keep the weights that are at least `share` of their row's largest (Nguyen et al. 2024, arXiv:2407.01082)."""
    return weights_BV.masked_fill(weights_BV < share * weights_BV.amax(-1, keepdim=True), 0)


def pick(weights_BV: Tensor, uniform_B: Tensor) -> Tensor:
    """The token on which each coin falls when the tokens' weights are laid side by side in order of id (inverse CDF).

    Looks for the block of 64 tokens first and then inside it, which saves most of the sums. A weight of 0 is never
    picked.
    """
    blocks_BNM = F.pad(weights_BV, (0, -weights_BV.shape[-1] % 64)).unflatten(-1, (-1, 64))
    totals_BN = blocks_BNM.sum(-1)
    block_B, rest_B = _fall(totals_BN, uniform_B.to(torch.float64) * totals_BN.sum(-1))
    inside_BM = blocks_BNM[torch.arange(len(block_B), device=block_B.device), block_B]
    return block_B * 64 + _fall(inside_BM, rest_B)[0]


def _fall(weights_BN: Tensor, place_B: Tensor) -> tuple[Tensor, Tensor]:
    """The first weight of each row whose cumulative sum exceeds the place, and how far inside it the place is.

    The place is kept below the total in spite of rounding, so that there is one, and it is not 0.
    """
    cumulative_BN = weights_BN.cumsum(-1)
    total_B = cumulative_BN[:, -1]
    place_B = torch.minimum(place_B.to(total_B.dtype), torch.nextafter(total_B, torch.zeros_like(total_B)))
    index_B1 = torch.searchsorted(cumulative_BN, place_B[:, None], right=True)
    before_B = (cumulative_BN.gather(-1, index_B1) - weights_BN.gather(-1, index_B1))[:, 0]
    return index_B1[:, 0], (place_B - before_B).clamp_(min=0)
