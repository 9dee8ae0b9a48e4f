"""Log-probabilities and what is made of them: pure functions of tensors.

Shapes: `L` tokens, `V` vocabulary; `…` any leading ones.
"""

from __future__ import annotations

import torch
from torch import Tensor


def token_logps(logits_LV: Tensor, targets_L: Tensor) -> tuple[Tensor, Tensor]:
    """log p(target) of every row, and whether the target was the most probable token."""
    logp_L = logits_LV.log_softmax(-1).gather(1, targets_L[:, None]).squeeze(1)
    return logp_L, logits_LV.argmax(-1) == targets_L


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """The mean of the values where the mask is true. Where it is true nowhere, 0."""
    mask = mask.to(values.dtype)
    return (values * mask).sum() / mask.sum().clamp(min=1)


def entropy(logits: Tensor) -> Tensor:
    """−Σ p log p of each distribution (…, V), in nats."""
    logp = logits.log_softmax(-1)
    return torch.special.entr(logp.exp()).sum(-1)


def kl_k1(logp: Tensor, reference_logp: Tensor) -> Tensor:
    """log p/q per token sampled from p: unbiased for KL(p‖q), can be negative (Schulman 2020, "Approximating KL
    divergence")."""
    return logp - reference_logp


def kl_k2(logp: Tensor, reference_logp: Tensor) -> Tensor:
    """½ (log p/q)²: biased, never negative, and small in variance while p and q are close (Schulman 2020)."""
    return 0.5 * (logp - reference_logp).square()


def kl_k3(logp: Tensor, reference_logp: Tensor) -> Tensor:
    """q/p − 1 − log q/p: unbiased and never negative (Schulman 2020)."""
    change = reference_logp - logp
    return change.exp() - 1 - change


# --- the distance to a reference as part of a loss. What is differentiated is not the estimate but what it leads to ---


def kl_loss_k2(logp: Tensor, reference_logp: Tensor, log_ratio: Tensor) -> Tensor:
    """k2: on samples of p its gradient is that of KL(p‖q). `log_ratio` is log p − log p_old."""
    return kl_k2(logp, reference_logp)


def kl_loss_k3(logp: Tensor, reference_logp: Tensor, log_ratio: Tensor) -> Tensor:
    """k3: on samples of p its gradient is that of the other distance, KL(q‖p)."""
    return kl_k3(logp, reference_logp)


def kl_loss_k3_corrected(logp: Tensor, reference_logp: Tensor, log_ratio: Tensor) -> Tensor:
    """k3 with its importance weight: on samples of p_old its gradient is that of KL(p‖q)."""
    return kl_k3(logp, reference_logp) * log_ratio.exp()


KL_LOSSES = {"k2": kl_loss_k2, "k3": kl_loss_k3, "k3 corrected": kl_loss_k3_corrected}
