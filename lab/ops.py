"""The operations of the network, each as a plain function and as a faster one whose derivative was worked out by hand.

The plain function says what is computed. The fast one gives the same numbers with fewer passes over memory, and is what
runs; `tests/test_ops.py` proves the two equal, values and derivatives. Shapes: `N` rows (tokens of all sequences, one
after another), `D` width of the network, `H` heads of size `K`, `F` inner width, `L` rows with a loss, `V` vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from lab import logprobs


def _is_mixed(x: Tensor) -> bool:
    """Whether autocast chooses the kind of number of each product: the derivatives worked out by hand do not know it,
    so the plain functions run then."""
    return torch.is_autocast_enabled(x.device.type)


# --- RMSNorm (Zhang & Sennrich 2019, arXiv:1910.07467) ---


def plain_rms_norm(x_ND: Tensor, weight_D: Tensor, epsilon: float) -> Tensor:
    """Each row divided by its root mean square, times a learned scale."""
    return x_ND * torch.rsqrt(x_ND.pow(2).mean(-1, keepdim=True) + epsilon) * weight_D


class _RMSNorm(Function):
    """With x̂ = x / rms(x) and g = ∂loss/∂y · w:  ∂loss/∂x = (g − x̂ · mean(g · x̂)) / rms(x)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        inverse = (length.square_() / x.shape[-1]).add_(epsilon).rsqrt_()
        unit = x * inverse
        ctx.save_for_backward(unit, inverse, weight)
        return unit * weight

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        unit, inverse, weight = ctx.saved_tensors
        weight_gradient = (gradient * unit).sum(0) if ctx.needs_input_grad[1] else None
        scaled = gradient * weight
        along = torch.linalg.vecdot(scaled, unit).unsqueeze(-1).div_(-unit.shape[-1])
        return torch.addcmul(scaled, unit, along).mul_(inverse), weight_gradient, None


def rms_norm(x_ND: Tensor, weight_D: Tensor, epsilon: float) -> Tensor:
    """`plain_rms_norm`, fast."""
    return _RMSNorm.apply(x_ND, weight_D, epsilon)


# --- SwiGLU (Shazeer 2020, arXiv:2002.05202) ---


def plain_swiglu(gate_up_N2F: Tensor) -> Tensor:
    """silu(gate) · up, where `gate_up` holds both side by side."""
    gate, up = gate_up_N2F.chunk(2, -1)
    return F.silu(gate) * up


class _SwiGLU(Function):
    """∂/∂up = silu(gate);  ∂/∂gate = up · silu'(gate)."""

    @staticmethod
    def forward(ctx: Any, gate_up: Tensor) -> Tensor:
        gate, up = gate_up.chunk(2, -1)
        activated = F.silu(gate)
        ctx.save_for_backward(gate_up, activated)
        return activated * up

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        gate_up, activated = ctx.saved_tensors
        gate, up = gate_up.chunk(2, -1)
        result = torch.empty_like(gate_up)
        to_gate, to_up = result.chunk(2, -1)
        torch.mul(gradient, activated, out=to_up)
        torch.ops.aten.silu_backward.grad_input(gradient * up, gate, grad_input=to_gate)
        return result


def swiglu(gate_up_N2F: Tensor) -> Tensor:
    """`plain_swiglu`, fast."""
    return _SwiGLU.apply(gate_up_N2F)


# --- Rotary positions (Su et al. 2021, arXiv:2104.09864) ---


def plain_rotate(x_NHK: Tensor, cosine_N1k: Tensor, sine_N1k: Tensor) -> Tensor:
    """Turns the pair (x[i], x[i + K/2]) of every head by the angle of its row's position."""
    a, b = x_NHK.chunk(2, -1)
    return torch.cat((a * cosine_N1k - b * sine_N1k, b * cosine_N1k + a * sine_N1k), -1)


def plain_queries_keys_values(
    qkv_NJK: Tensor, cosine_N1k: Tensor, sine_N1k: Tensor, heads: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Takes queries (`heads` of them), keys and values apart (J = H + 2G), and turns queries and keys."""
    groups = (qkv_NJK.shape[1] - heads) // 2
    q_NHK, k_NGK, v_NGK = qkv_NJK.split((heads, groups, groups), 1)
    return plain_rotate(q_NHK, cosine_N1k, sine_N1k), plain_rotate(k_NGK, cosine_N1k, sine_N1k), v_NGK


def _rotate_into(out: Tensor, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    a, b = x.chunk(2, -1)
    out_a, out_b = out.chunk(2, -1)
    torch.mul(a, cosine, out=out_a).addcmul_(b, sine, value=-1)
    torch.mul(b, cosine, out=out_b).addcmul_(a, sine)
    return out


class _QueriesKeysValues(Function):
    """The derivative of a rotation is the rotation back."""

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, cosine: Tensor, sine: Tensor, heads: int) -> Any:
        groups = (qkv.shape[1] - heads) // 2
        ctx.sizes = (heads, groups, groups)
        ctx.save_for_backward(cosine, sine)
        turned = _rotate_into(torch.empty_like(qkv[:, : heads + groups]), qkv[:, : heads + groups], cosine, sine)
        return turned[:, :heads], turned[:, heads:], qkv[:, heads + groups :].contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_q: Tensor, to_k: Tensor, to_v: Tensor) -> Any:
        cosine, sine = ctx.saved_tensors
        result = to_q.new_empty(to_q.shape[0], sum(ctx.sizes), to_q.shape[2])
        q, k, v = result.split(ctx.sizes, 1)
        _rotate_into(q, to_q, cosine, -sine)
        _rotate_into(k, to_k, cosine, -sine)
        v.copy_(to_v)
        return result, None, None, None


def queries_keys_values(
    qkv_NJK: Tensor, cosine_N1k: Tensor, sine_N1k: Tensor, heads: int
) -> tuple[Tensor, Tensor, Tensor]:
    """`plain_queries_keys_values`, fast."""
    if _is_mixed(qkv_NJK):
        return plain_queries_keys_values(qkv_NJK, cosine_N1k, sine_N1k, heads)
    return _QueriesKeysValues.apply(qkv_NJK, cosine_N1k, sine_N1k, heads)


# --- Rows into padded slots, and rows out of many ---


class _ToSlots(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, slots: Tensor, slot_of: Tensor) -> Tensor:
        ctx.save_for_backward(slot_of)
        return x.index_select(0, slots)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return gradient.index_select(0, ctx.saved_tensors[0]), None, None


class _TakeRows(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(rows)
        ctx.count = x.shape[0]
        return x.index_select(0, rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        to_all = gradient.new_zeros(ctx.count, *gradient.shape[1:])
        return to_all.index_copy_(0, ctx.saved_tensors[0], gradient), None


def to_slots(x_NHK: Tensor, slots: Tensor, slot_of_N: Tensor) -> Tensor:
    """`x[slots]`, for when nothing that is learned depends on the padding: the gradient of every padding slot must be
    0, as it is in causal attention with the padding at the end. Then row j's gradient is that of its slot alone."""
    return _ToSlots.apply(x_NHK, slots, slot_of_N)


def take_rows(x: Tensor, rows: Tensor) -> Tensor:
    """`x[rows]`, where no row is taken twice."""
    return _TakeRows.apply(x, rows)


# --- LoRA (Hu et al. 2021, arXiv:2106.09685) ---


def plain_adapted_linear(
    x_ND: Tensor, weights: Sequence[Tensor], adapters: Sequence[tuple[Tensor, Tensor] | None], scale: float
) -> Tensor:
    """x · (W + scale · B · A)ᵀ for several matrices W side by side, each with its (A, B) or without one."""
    parts = []
    for weight, adapter in zip(weights, adapters, strict=True):
        y = x_ND @ weight.T
        parts.append(y if adapter is None else y + scale * (x_ND @ adapter[0].T) @ adapter[1].T)
    return torch.cat(parts, -1)


def merged(weight: Tensor, a: Tensor, b: Tensor, scale: float) -> Tensor:
    """W + scale · B · A."""
    return torch.addmm(weight, b, a, alpha=scale)


class _AdaptedLinear(Function):
    """The adapters are merged for the two products with large matrices. What they learn is read off thin ones:
    with g = ∂loss/∂y,  ∂loss/∂A = scale · (g B)ᵀ x  and  ∂loss/∂B = scale · gᵀ (x Aᵀ)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: float, count: int, *tensors: Tensor | None) -> Tensor:
        weight = _merged_side_by_side(tensors, count, scale)
        ctx.scale, ctx.count = scale, count
        ctx.save_for_backward(x, *tensors)
        return x @ weight.T

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        x, *tensors = ctx.saved_tensors
        weights, a_of, b_of = (tensors[n * ctx.count : (n + 1) * ctx.count] for n in range(3))
        to_x = gradient @ _merged_side_by_side(tensors, ctx.count, ctx.scale) if ctx.needs_input_grad[0] else None
        present = [n for n in range(ctx.count) if a_of[n] is not None]
        ranks = [a_of[n].shape[0] for n in present]
        parts = gradient.split([weight.shape[0] for weight in weights], -1)
        # Lying down (ranks, N): thin products are several times faster this way than upright.
        x_into_a = (torch.cat([a_of[n] for n in present]) @ x.T).mul_(ctx.scale)
        g_into_b = (_beside_zeros(weights, b_of, present).T @ gradient.T).mul_(ctx.scale)
        to_a, to_b = [None] * ctx.count, [None] * ctx.count
        for n, of_a, xa in zip(present, (g_into_b @ x).split(ranks), x_into_a.split(ranks)):
            to_a[n], to_b[n] = of_a, (xa @ parts[n]).T
        return to_x, None, None, *[None] * ctx.count, *to_a, *to_b


def _beside_zeros(weights: Sequence[Any], b_of: Sequence[Any], present: Sequence[int]) -> Tensor:
    """Every B at the rows of its matrix and in columns of its own, zeros elsewhere."""
    blocks = [b_of[n] if n in present else weight.new_zeros(weight.shape[0], 0) for n, weight in enumerate(weights)]
    return torch.block_diag(*blocks)


def _merged_side_by_side(tensors: Sequence[Any], count: int, scale: float) -> Tensor:
    weights, a_of, b_of = (tensors[n * count : (n + 1) * count] for n in range(3))
    merged_ones = [w if a is None else merged(w, a, b, scale) for w, a, b in zip(weights, a_of, b_of)]
    return merged_ones[0] if count == 1 else torch.cat(merged_ones)


def adapted_linear(
    x_ND: Tensor, weights: Sequence[Tensor], adapters: Sequence[tuple[Tensor, Tensor] | None], scale: float
) -> Tensor:
    """`plain_adapted_linear`, fast. The weights themselves get no gradient."""
    if _is_mixed(x_ND):
        return plain_adapted_linear(x_ND, weights, adapters, scale)
    a_of = [adapter and adapter[0] for adapter in adapters]
    b_of = [adapter and adapter[1] for adapter in adapters]
    return _AdaptedLinear.apply(x_ND, scale, len(weights), *weights, *a_of, *b_of)


# --- Log-probability of the target under a linear head ---


def plain_token_logps(hidden_LD: Tensor, head_VD: Tensor, targets_L: Tensor) -> tuple[Tensor, Tensor]:
    """log p(target) of every row, and whether the target was the most probable token."""
    return logprobs.token_logps(hidden_LD @ head_VD.T, targets_L)


CHUNK_NUMBERS = 1 << 20
"""Logits made at a time. Small enough to stay in the processor's cache, large enough for matrix products to be fast."""


class _TokenLogps(Function):
    """∂ log p(target) / ∂ logits = onehot(target) − p. The probabilities p of the forward are kept, so that the
    backward needs no third product with the head to make them again."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, head: Tensor, targets: Tensor, keep: bool) -> tuple[Tensor, Tensor]:
        rows = hidden.shape[0]
        logp = hidden.new_empty(rows)
        correct = torch.empty(rows, dtype=torch.bool, device=hidden.device)
        ctx.slices = _slices(rows, max(64, CHUNK_NUMBERS // head.shape[0]))
        kept = []
        for here in ctx.slices:
            logits = hidden[here] @ head.T
            target = targets[here, None]
            top, first = logits.max(1, keepdim=True)
            of_target = logits.gather(1, target)
            weights = logits.sub_(top).exp_()
            total = weights.sum(1, keepdim=True)
            logp[here] = (of_target - top - total.log()).squeeze(1)
            correct[here] = (first == target).squeeze(1)
            kept += [weights, total] if keep else []
        ctx.save_for_backward(hidden, head, targets, *kept)
        ctx.mark_non_differentiable(correct)
        return logp, correct

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> Any:
        hidden, head, targets, *kept = ctx.saved_tensors
        to_hidden = torch.empty_like(hidden)
        to_head = torch.zeros_like(head) if ctx.needs_input_grad[1] else None
        for here, weights, total in zip(ctx.slices, kept[::2], kept[1::2]):
            of_row = gradient[here, None]
            to_logits = (weights * (-of_row / total)).scatter_add_(1, targets[here, None], of_row)
            torch.mm(to_logits, head, out=to_hidden[here])
            if to_head is not None:
                to_head.addmm_(to_logits.T, hidden[here])
        return to_hidden, to_head, None, None


def _slices(rows: int, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, rows, size)]


def token_logps(hidden_LD: Tensor, head_VD: Tensor, targets_L: Tensor) -> tuple[Tensor, Tensor]:
    """`plain_token_logps`, fast, and without all logits in memory at once while no gradient is asked for."""
    if _is_mixed(hidden_LD):
        return plain_token_logps(hidden_LD, head_VD, targets_L)
    return _TokenLogps.apply(hidden_LD, head_VD, targets_L, torch.is_grad_enabled())
