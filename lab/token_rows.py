"""New tokens in a network of ours: more rows in its embedding, and training them alone beside LoRA.

A new row begins as the mean of the old ones: an average word, instead of a random one that throws the others off
(Hewitt 2021, "Initializing new word embeddings for pretrained language models"). Stored as peft stores
`trainable_token_indices`: the rows themselves, beside the adapters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lab.errors import ModelError

ROWS = ".token_adapter.trainable_tokens_delta"
"""The end of the name that peft gives such rows (which are no differences, in spite of the name)."""


class TokenRows(nn.Module):
    """Rows of a matrix (V, D) that are trained while the matrix itself is frozen."""

    def __init__(self, matrix: Tensor, ids: Sequence[int]) -> None:
        super().__init__()
        self.ids: Tensor
        self.register_buffer("ids", torch.tensor(ids, device=matrix.device), persistent=False)
        self.rows = nn.Parameter(matrix.detach()[self.ids].clone())

    def into(self, matrix: Tensor) -> Tensor:
        """The matrix with these rows in their places."""
        return matrix.index_copy(0, self.ids, self.rows.to(matrix.dtype))


def with_mean_rows(matrix: Tensor, count: int, new_ids: Sequence[int]) -> Tensor:
    """The matrix (V, D) grown to `count` rows; those of `new_ids` become the mean of all rows before the first."""
    known = matrix.detach()[: min(new_ids)] if new_ids else matrix.detach()
    mean_D = known.float().mean(0).to(matrix.dtype)
    grown = torch.cat([matrix.detach(), mean_D.expand(max(0, count - matrix.shape[0]), -1)])
    grown[torch.tensor(list(new_ids), dtype=torch.long, device=matrix.device)] = mean_D
    return grown


def trained_tokens(about: dict[str, Any]) -> list[int]:
    """The ids of the tokens that an adapter_config.json says were trained. Raises `ModelError` when parts differ."""
    listed = about.get("trainable_token_indices") or []
    parts = list(listed.values()) if isinstance(listed, dict) else [listed]
    if any(part != parts[0] for part in parts):
        raise ModelError("An adapter that trains other tokens at the embedding than at the head cannot be read here.")
    return list(parts[0]) if parts else []
