"""Writing with our own network, one token at a time: the keys and values of what was read are kept, so that each new
token costs one row of work instead of the whole text again.

The prompts of a batch stand right-aligned in the cache, so that every row's next token goes to the same column:

    row 0    ·  ·  The  cat | sat  on
    row 1    Where  is  the  | house …

Shapes: `P` prompts, `R` rows, `N` tokens of all prompts, `G` heads of keys and values, `S` query heads that share one,
`K` size of a head, `C` columns in use, `D` width, `V` vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lab import ops
from lab.batching import pack
from lab.transformer import Block, Linear, Norm, Rotation, Transformer, causal_attention

FUSED_AT_MOST = 1 << 25
"""Parameters up to which matrices are copied side by side for a generation: it pays while they are small."""

_FIRST_COLUMNS = 64
"""Columns that the cache has room for beyond the prompt at first; it doubles when they are used up."""


class TransformerDecoder:
    """A batch of rows being written by a `Transformer`: the decoder that `lab/generate.py` drives."""

    def __init__(self, model: Transformer) -> None:
        self._model = model
        fuse = sum(parameter.numel() for parameter in model.parameters()) <= FUSED_AT_MOST
        self._layers = [_Layer(block, fuse) for block in model.blocks]

    def prefill(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """Read the prompts, one row each, and give the logits (P, V) of what follows them."""
        model, device = self._model, self._model.head_weight.device
        lengths = [len(prompt) for prompt in prompts]
        masks = [[False] * length + [True] for length in lengths]
        batch = pack([[*prompt, 0] for prompt in prompts], masks).to(device)
        self._columns = longest = max(lengths)
        self._positions_R = torch.tensor(lengths, device=device)
        pad_R = longest - self._positions_R
        self._padding_RC = _padding(pad_R, longest)
        rows_N = torch.repeat_interleave(torch.arange(len(prompts), device=device), self._positions_R)
        columns_N = batch.positions_N + pad_R[rows_N]
        x_ND, rotation = model.embed(batch.ids_N), model.rotary(batch.positions_N)
        for layer in self._layers:
            q, k, v = layer.qkv(x_ND, rotation)
            layer.remember_prompts(k, v, rows_N, columns_N, len(prompts), longest + _FIRST_COLUMNS)
            attended_NHK = causal_attention(q, k, v, batch)
            if layer is self._layers[-1]:
                x_ND, attended_NHK = x_ND[batch.rows_L], attended_NHK[batch.rows_L]
            x_ND = layer.finish(x_ND, attended_NHK)
        return model.head(model.final(x_ND))

    def take(self, rows: Tensor) -> None:
        """Go on with these rows in this order. One that is named several times is continued several times."""
        self._positions_R = self._positions_R[rows]
        if self._padding_RC is not None:
            self._padding_RC = self._padding_RC[rows]
        for layer in self._layers:
            layer.take(rows, self._columns)

    def step(self, ids_R: Tensor) -> Tensor:
        """Append one token to each row, and give the logits (R, V) of what follows."""
        model = self._model
        x_RD, rotation = model.embed(ids_R), model.rotary(self._positions_R)
        for layer in self._layers:
            q, k, v = layer.qkv(x_RD, rotation)
            x_RD = layer.finish(x_RD, layer.attend(q, k, v, self._columns, self._padding_RC))
        self._columns += 1
        self._positions_R = self._positions_R + 1
        return model.head(model.final(x_RD))


def _padding(pad_R: Tensor, columns: int) -> Tensor | None:
    """What to add to attention scores (R, C): −∞ at the empty columns before a shorter prompt. None without any."""
    if not bool(pad_R.any()):
        return None
    empty_RC = torch.arange(columns, device=pad_R.device) < pad_R[:, None]
    return torch.zeros(empty_RC.shape, device=pad_R.device).masked_fill_(empty_RC, -torch.inf)


class _Layer:
    """A layer's weights as decoding uses them, and its cache: keys and values (R, G, columns, K)."""

    def __init__(self, block: Block, fuse: bool) -> None:
        attention, mlp = block.self_attn, block.mlp
        self._shape = block.config
        self._before_attention, self._before_mlp = block.input_layernorm, block.post_attention_layernorm
        self._qkv = [_matrix(linear) for linear in (attention.q_proj, attention.k_proj, attention.v_proj)]
        self._gate_up = [_matrix(linear) for linear in (mlp.gate_proj, mlp.up_proj)]
        self._output, self._down = _matrix(attention.o_proj), _matrix(mlp.down_proj)
        if fuse:
            self._qkv, self._gate_up = [torch.cat(self._qkv)], [torch.cat(self._gate_up)]

    def qkv(self, x_ND: Tensor, rotation: Rotation) -> tuple[Tensor, Tensor, Tensor]:
        """As `Block.qkv`."""
        shape = self._shape
        turned = shape.heads + shape.kv_heads
        qkv = _product(_normed(self._before_attention, x_ND), self._qkv).unflatten(-1, (-1, shape.head_size))
        qk = ops.plain_rotate(qkv[:, :turned], *rotation)
        return qk[:, : shape.heads], qk[:, shape.heads :], qkv[:, turned:]

    def finish(self, x_ND: Tensor, attended_NHK: Tensor) -> Tensor:
        """As `Block.finish`."""
        x_ND = x_ND + F.linear(attended_NHK.flatten(1), self._output)
        gate_up = _product(_normed(self._before_mlp, x_ND), self._gate_up)
        return x_ND + F.linear(ops.plain_swiglu(gate_up), self._down)

    def remember_prompts(
        self, k_NGK: Tensor, v_NGK: Tensor, rows_N: Tensor, columns_N: Tensor, rows: int, columns: int
    ) -> None:
        """Make the cache and put the prompts' keys and values where they belong."""
        shape = (rows, k_NGK.shape[1], columns, k_NGK.shape[2])
        self._keys, self._values = k_NGK.new_zeros(shape), v_NGK.new_zeros(shape)
        self._keys[rows_N, :, columns_N] = k_NGK
        self._values[rows_N, :, columns_N] = v_NGK

    def take(self, rows: Tensor, columns: int) -> None:
        """Keep these rows of the cache, of which `columns` columns are in use."""
        capacity = self._keys.shape[2]
        self._keys = _moved(self._keys, rows, columns, capacity)
        self._values = _moved(self._values, rows, columns, capacity)

    def attend(self, q_RHK: Tensor, k_RGK: Tensor, v_RGK: Tensor, column: int, padding_RC: Tensor | None) -> Tensor:
        """Remember one more column, and give every row's mix (R, H, K) of the values up to it."""
        if column == self._keys.shape[2]:
            every_row = torch.arange(len(q_RHK), device=q_RHK.device)
            self._keys = _moved(self._keys, every_row, column, 2 * column)
            self._values = _moved(self._values, every_row, column, 2 * column)
        self._keys[:, :, column], self._values[:, :, column] = k_RGK, v_RGK
        keys, values = self._keys[:, :, : column + 1], self._values[:, :, : column + 1]
        q_RGSK = (q_RHK * q_RHK.shape[-1] ** -0.5).unflatten(1, (k_RGK.shape[1], -1))
        scores_RGSC = q_RGSK @ keys.transpose(2, 3)
        if padding_RC is not None:
            scores_RGSC[..., : padding_RC.shape[1]] += padding_RC[:, None, None]
        return (scores_RGSC.softmax(-1) @ values).flatten(1, 2)


def _matrix(linear: Linear) -> Tensor:
    """The weights of a linear layer, with its adapter merged in when it has one."""
    if linear.adapter is None:
        return linear.weight
    return ops.merged(linear.weight, *linear.adapter.pair, linear.adapter.scale)


def _normed(norm: Norm, x: Tensor) -> Tensor:
    """`norm(x)` by torch's own function, which is the fastest where no derivative is wanted."""
    return F.rms_norm(x, norm.weight.shape, norm.weight, norm.epsilon)


def _product(x: Tensor, matrices: list[Tensor]) -> Tensor:
    """x · Wᵀ for matrices that stand side by side."""
    products = [F.linear(x, matrix) for matrix in matrices]
    return products[0] if len(products) == 1 else torch.cat(products, -1)


def _moved(cache: Tensor, rows: Tensor, columns: int, capacity: int) -> Tensor:
    """A cache of `capacity` columns with these rows of another one and its first `columns` columns."""
    moved = cache.new_empty((len(rows), cache.shape[1], capacity, cache.shape[3]))
    torch.index_select(cache[:, :, :columns], 0, rows, out=moved[:, :, :columns])
    return moved
