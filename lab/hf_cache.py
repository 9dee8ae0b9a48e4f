"""Writing with a network of the transformers library: three ways; which is the fastest exact one is found by trying.

- `PaddedDecoder`: all rows at once, prompts padded on the left, one `DynamicCache`. Exact for networks of attention.
- `RowByRowDecoder`: each row has a cache of its own. For networks with a state that padding would disturb
  (Qwen3-Next, Mamba and others that mix in recurrent layers).
- `RereadDecoder`: reads each row's whole text again for every token. Slow, and exact for anything.

Shapes: `P` prompts, `R` rows, `T` tokens of the longest row so far, `V` vocabulary.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class Decoder(Protocol):
    """A batch of rows being written: what `lab/generate.py` drives."""

    def prefill(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """Read the prompts, one row each, and give the logits (P, V) of what follows them."""
        ...

    def take(self, rows: Tensor) -> None:
        """Go on with these rows in this order. One that is named several times is continued several times."""
        ...

    def step(self, ids_R: Tensor) -> Tensor:
        """Append one token to each row, and give the logits (R, V) of what follows."""
        ...


class _Network:
    """A transformers network, called with what its `forward` knows."""

    def __init__(self, network: Any) -> None:
        self.module = network
        self.device = next(network.parameters()).device
        self.accepts = set(inspect.signature(network.forward).parameters)

    def new_cache(self) -> Any:
        from transformers import DynamicCache

        return DynamicCache(config=self.module.config)

    def last_logits(self, ids_RT: Tensor, **arguments: Any) -> Tensor:
        """Logits (R, V) after the last token of each row."""
        arguments = {"logits_to_keep": 1, "use_cache": False} | arguments
        known = {name: value for name, value in arguments.items() if name in self.accepts}
        return self.module(input_ids=ids_RT, **known).logits[:, -1]


class PaddedDecoder:
    """All rows in one batch."""

    def __init__(self, network: nn.Module) -> None:
        self._network = _Network(network)

    def prefill(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        longest = max(map(len, prompts))
        ids = [[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts]
        mask = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]
        self._mask_RT = torch.tensor(mask, device=self._network.device)
        self._cache = self._network.new_cache()
        positions_RT = (self._mask_RT.cumsum(-1) - 1).clamp_(min=0)
        self._position_R1 = positions_RT[:, -1:]
        return self._call(torch.tensor(ids, device=self._network.device), positions_RT)

    def take(self, rows: Tensor) -> None:
        self._cache.batch_select_indices(rows)
        self._mask_RT, self._position_R1 = self._mask_RT[rows], self._position_R1[rows]

    def step(self, ids_R: Tensor) -> Tensor:
        self._mask_RT = torch.cat((self._mask_RT, torch.ones_like(self._mask_RT[:, :1])), -1)
        self._position_R1 = self._position_R1 + 1
        return self._call(ids_R[:, None], self._position_R1)

    def _call(self, ids_RT: Tensor, positions_RT: Tensor) -> Tensor:
        return self._network.last_logits(
            ids_RT,
            attention_mask=self._mask_RT,
            position_ids=positions_RT,
            past_key_values=self._cache,
            use_cache=True,
        )


class RowByRowDecoder:
    """Each row by itself, with its own cache."""

    def __init__(self, network: nn.Module) -> None:
        self._network = _Network(network)

    def prefill(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        self._lengths = [0] * len(prompts)
        self._caches = [self._network.new_cache() for _ in prompts]
        return self._read([torch.tensor([prompt], device=self._network.device) for prompt in prompts])

    def take(self, rows: Tensor) -> None:
        taken: set[int] = set()
        caches = []
        for row in rows.tolist():
            caches.append(copy.deepcopy(self._caches[row]) if row in taken else self._caches[row])
            taken.add(row)
        self._caches, self._lengths = caches, [self._lengths[row] for row in rows.tolist()]

    def step(self, ids_R: Tensor) -> Tensor:
        return self._read(list(ids_R[:, None, None]))

    def _read(self, added: list[Tensor]) -> Tensor:
        logits = []
        for row, ids_1T in enumerate(added):
            start, self._lengths[row] = self._lengths[row], self._lengths[row] + ids_1T.shape[1]
            positions_1T = torch.arange(start, self._lengths[row], device=ids_1T.device)[None]
            cache = self._caches[row]
            logits.append(
                self._network.last_logits(
                    ids_1T, position_ids=positions_1T, past_key_values=cache, cache_params=cache, use_cache=True
                )
            )
        return torch.cat(logits)


class RereadDecoder:
    """Each row by itself, read from its beginning every time."""

    def __init__(self, network: nn.Module) -> None:
        self._network = _Network(network)

    def prefill(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        self._texts = [list(prompt) for prompt in prompts]
        return self._read()

    def take(self, rows: Tensor) -> None:
        self._texts = [list(self._texts[row]) for row in rows.tolist()]

    def step(self, ids_R: Tensor) -> Tensor:
        for text, id in zip(self._texts, ids_R.tolist(), strict=True):
            text.append(id)
        return self._read()

    def _read(self) -> Tensor:
        texts = (torch.tensor([text], device=self._network.device) for text in self._texts)
        return torch.cat([self._network.last_logits(text) for text in texts])


WAYS: tuple[Callable[[nn.Module], Decoder], ...] = (PaddedDecoder, RowByRowDecoder, RereadDecoder)
"""Fastest first."""

_TRIAL = ([2, 1, 2, 0, 1], [2, 0])
"""Prompts of uneven lengths on which a way of decoding is compared with a plain forward."""


def hf_decoder(network: Any) -> Decoder:
    """The fastest decoder that gives what this network's plain forward gives. Found out once, kept on the network."""
    way = getattr(network, "_exact_decoder", None)
    if way is None:
        way = next((way for way in WAYS[:-1] if _is_exact(way, network)), WAYS[-1])
        network._exact_decoder = way
    return way(network)


@torch.inference_mode()
def _is_exact(way: Callable[[nn.Module], Decoder], network: nn.Module) -> bool:
    """Whether prompts, a fork and two more tokens give the logits of plain forwards, up to rounding."""
    try:
        rows, first, second = torch.tensor([1, 0, 1]), torch.tensor([1, 2, 0]), torch.tensor([0, 2, 1])
        tried, plain = way(network), RereadDecoder(network)
        results = []
        for decoder in (tried, plain):
            logits = [decoder.prefill(_TRIAL)]
            decoder.take(rows.to(logits[0].device))
            logits += [decoder.step(ids.to(logits[0].device)) for ids in (first, second)]
            results.append(torch.cat(logits).float().log_softmax(-1))
    except Exception:  # a network that cannot be called this way at all
        return False
    tolerance = 2e-3 if next(network.parameters()).dtype == torch.float32 else 0.25
    return bool((results[0] - results[1]).abs().max() < tolerance)
