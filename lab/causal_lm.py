"""What a language model is to the rest: a packed batch goes in, the log-probabilities of its targets come out.

Shapes: `N` rows (the tokens read, of all sequences), `L` rows with a loss, `B` sequences of `T` tokens, `V` vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class PackedBatch:
    """Sequences one after another. A row reads `ids_N` at `positions_N` (0 at each sequence's start) and sees only its
    own sequence, up to itself. The rows `rows_L` (None: all of them) are to predict `targets_L`.

    Attention works on groups of sequences of about one length, as `groups` says: (sequences, padded length). Slot i of
    the padded groups holds row `slots[i]`; row j is in slot `slot_of_N[j]`. Both are None when nothing is padded and
    the order is the same.
    """

    ids_N: Tensor
    positions_N: Tensor
    rows_L: Tensor | None
    targets_L: Tensor
    groups: tuple[tuple[int, int], ...]
    slots: Tensor | None = None
    slot_of_N: Tensor | None = None

    @property
    def tokens(self) -> int:
        """Tokens read."""
        return self.ids_N.shape[0]

    @property
    def losses(self) -> int:
        """Tokens to predict."""
        return self.targets_L.shape[0]

    def padded(self) -> tuple[Tensor, Tensor, Tensor]:
        """For networks that want it so: ids (B, T) and mask (B, T) with the sequences side by side, padded at their
        end, and where in the flattened B × T each row is (N)."""
        first_N = self.positions_N == 0
        longest = int(self.positions_N.max()) + 1
        place_N = (first_N.cumsum(0) - 1) * longest + self.positions_N
        size = (int(first_N.sum()), longest)
        ids_BT = self.ids_N.new_zeros(size[0] * size[1]).index_copy_(0, place_N, self.ids_N).view(size)
        mask_BT = torch.zeros_like(ids_BT).flatten().index_fill_(0, place_N, 1).view(size)
        return ids_BT, mask_BT, place_N

    def to(self, device: torch.device | str) -> PackedBatch:
        """The batch on another device."""
        tensors: dict[str, Any] = {k: value.to(device) for k, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **tensors)


class TokenScores(NamedTuple):
    """What the network says of the targets of a batch: log p of each, and whether it was the first choice."""

    logp_L: Tensor
    correct_L: Tensor


class CausalLM(nn.Module):
    """What training and decoding need of a model: ours is `Transformer`, `lab/model.py` has the ones of transformers.

    `about` is the content of its config.json.
    """

    about: dict[str, Any]

    @property
    def context_length(self) -> int:
        """Longest text it has positions for, in tokens."""
        raise NotImplementedError

    @property
    def end_ids(self) -> tuple[int, ...]:
        """Tokens at which a generated text ends."""
        ends = self.about.get("eos_token_id")
        return tuple(ends) if isinstance(ends, list) else () if ends is None else (ends,)

    def ends_at(self, ids: Sequence[int]) -> None:
        """Have generation end at these tokens too, and say so in what is saved."""
        self.about["eos_token_id"] = list(dict.fromkeys([*self.end_ids, *ids]))

    def grow(self, new_ids: Sequence[int]) -> None:
        """Give these tokens, which the network was not trained on, rows of their own: the mean of the others."""
        raise NotImplementedError

    def keep_less(self) -> None:
        """From now on, keep less in memory during a training step and work it out again on the way back."""
        raise NotImplementedError

    def forward(self, batch: PackedBatch) -> TokenScores:
        """log p of the batch's targets. Every training step goes through here, so that wrappers of it work."""
        raise NotImplementedError

    def logits(self, ids_BT: Tensor) -> Tensor:
        """Logits (B, T, V) of whole sequences of one length."""
        raise NotImplementedError
