"""A network small enough to watch whole: it learns in seconds to sort six letters, of which there are three.

It is the toy of Bycroft's visualisation (2023): a GPT-2 (Radford et al. 2019) of 11 positions, width 48, 3 heads,
3 blocks and 3 symbols: 85,584 parameters, its head left aside. It reads six letters and five of the sorted ones, and
says the next; it learns nothing of the letters it is given. Shapes: `B` rows, `T` = 11, `V` = 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LETTERS, LENGTH = "ABC", 6
POSITIONS, WIDTH, HEADS, BLOCKS = 2 * LENGTH - 1, 48, 3, 3
BATCH, LEARNING_RATE = 64, 3e-3


class Block(nn.Module):
    """Attention, then the inner layer, each after a norm and added to what came in."""

    def __init__(self) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.project = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.inner, self.outer = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x_BTD: Tensor) -> Tensor:
        q, k, v = self.qkv(self.ln_1(x_BTD)).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x_BTD = x_BTD + self.project(mixed.transpose(1, 2).flatten(2))
        return x_BTD + self.outer(F.gelu(self.inner(self.ln_2(x_BTD))))


class Sorter(nn.Module):
    """The network."""

    def __init__(self) -> None:
        super().__init__()
        self.letters, self.positions = nn.Embedding(len(LETTERS), WIDTH), nn.Embedding(POSITIONS, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(BLOCKS)))
        self.ln_f = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, len(LETTERS), bias=False)

    @property
    def parameter_count(self) -> int:
        """Numbers in the network, its head left aside."""
        return sum(p.numel() for p in self.parameters()) - self.head.weight.numel()

    def forward(self, ids_BT: Tensor) -> Tensor:
        places_T = torch.arange(ids_BT.shape[1], device=ids_BT.device)
        return self.head(self.ln_f(self.blocks(self.letters(ids_BT) + self.positions(places_T))))


class Step(NamedTuple):
    """How far the training is: the loss in nats per sorted letter, and the share of rows sorted without a fault."""

    step: int
    loss: float
    accuracy: float


def train(seed: int = 0, steps: int = 400, every: int = 20) -> Iterator[tuple[Step, Sorter]]:
    """Train a sorter; yields every so many steps."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Sorter()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, steps)
    for step in range(1, steps + 1):
        given_BL = torch.randint(len(LETTERS), (BATCH, LENGTH), generator=generator)
        sorted_BL = given_BL.sort(-1).values
        logits_BLV = model(torch.cat([given_BL, sorted_BL[:, :-1]], 1))[:, LENGTH - 1 :]
        loss = F.cross_entropy(logits_BLV.flatten(0, 1), sorted_BL.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % every == 0 or step == steps:
            right = (sort(model, given_BL) == sorted_BL).all(-1).float().mean()
            yield Step(step, loss.item(), right.item()), model


@torch.no_grad()
def sort(model: Sorter, given_BL: Tensor) -> Tensor:
    """What the model makes of these letters, one after the other, its own answers read again."""
    ids = given_BL
    for _ in range(LENGTH):
        ids = torch.cat([ids, model(ids)[:, -1:].argmax(-1)], 1)
    return ids[:, LENGTH:]
