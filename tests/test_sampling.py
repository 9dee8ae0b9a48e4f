"""From logits to the next token."""

import math

import pytest
import torch

from lab.config import SamplingConfig
from lab.errors import ModelError
from lab.sampling import choose, filtered, keep_min_p, keep_top_k, keep_top_p, pick

EIGHT = torch.tensor([[0.05, 0.30, 0.15, 0.02, 0.25, 0.08, 0.05, 0.10]])


def kept(weights):
    return weights[0].nonzero()[:, 0].tolist()


def test_top_k_by_hand():
    assert kept(keep_top_k(EIGHT, 3)) == [1, 2, 4]
    assert kept(keep_top_k(EIGHT, 7)) == [0, 1, 2, 4, 5, 6, 7]  # 0.05 comes twice: 7 largest without 0.02


def test_top_p_by_hand():
    # Largest first: 0.30 0.55 0.70 0.80 0.88 0.93 0.98 1.00
    assert kept(keep_top_p(EIGHT, 0.29)) == [1]
    assert kept(keep_top_p(EIGHT, 0.56)) == [1, 2, 4]
    assert kept(keep_top_p(EIGHT, 0.79)) == [1, 2, 4, 7]
    assert kept(keep_top_p(EIGHT, 0.999)) == list(range(8))
    assert kept(keep_top_p(40 * EIGHT, 0.56)) == [1, 2, 4]  # weights need not add up to 1


def test_min_p_by_hand():
    assert kept(keep_min_p(EIGHT, 0.5)) == [1, 2, 4]  # at least 0.15
    assert kept(keep_min_p(EIGHT, 0.4)) == [1, 2, 4]  # at least 0.12


def test_filters_apply_one_after_the_other():
    sampling = SamplingConfig(top_k=4, top_p=0.8, min_p=0.4)
    # top-k leaves 0.30 0.25 0.15 0.10 (total 0.80); 0.64 of it is reached with 0.15; 0.15 is above 0.4 · 0.30
    assert kept(filtered(EIGHT.clone(), sampling)) == [1, 2, 4]


@pytest.mark.parametrize("spread", [0.01, 1.0, 5.0])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.95, 0.9999])
def test_top_p_equals_a_full_sort(spread, p):
    weights = (spread * torch.randn(16, 3000, generator=torch.Generator().manual_seed(1))).softmax(-1)
    ordered, order = weights.sort(-1, descending=True)
    before = ordered.double().cumsum(-1) - ordered.double()
    expected = torch.zeros_like(weights).scatter(-1, order, torch.where(before < p, ordered, 0.0))
    mass_of_difference = (keep_top_p(weights, p) - expected).abs().sum(-1)
    # Rounding of the sums may decide about the last one kept: one of 3000 equals, or the tail of a peaked row.
    assert ((keep_top_p(weights, p) > 0) != (expected > 0)).sum(-1).max() <= 1 or mass_of_difference.max() < 5e-6


def test_the_coin_falls_on_the_cumulative_bar():
    weights = torch.tensor([[0.0, 0.25, 0.25, 0.0, 0.5, 0.0]])
    for coin, token in [(0.0, 1), (0.2499, 1), (0.25, 2), (0.4999, 2), (0.5, 4), (1 - 2**-53, 4)]:
        assert pick(weights, torch.tensor([coin], dtype=torch.float64)).item() == token
        assert pick(7 * weights, torch.tensor([coin], dtype=torch.float64)).item() == token


def test_sampled_frequencies_are_the_probabilities():
    logits = torch.randn(1, 50, generator=torch.Generator().manual_seed(0))
    coins = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    ids = choose(logits.expand(20_000, -1), SamplingConfig(temperature=0.7), coins).ids_B
    frequency = torch.bincount(ids, minlength=50) / 20_000
    assert (frequency - (logits[0] / 0.7).softmax(-1)).abs().max() < 1.5 / 20_000


def test_temperature_zero_is_the_most_probable_and_a_tiny_one_nearly_so():
    logits = torch.tensor([[1.0, 3.0, 2.0], [500.0, -500.0, 499.0]])
    coin = torch.tensor([0.99, 0.5], dtype=torch.float64)
    assert choose(logits, SamplingConfig(temperature=0.0), coin).ids_B.tolist() == [1, 0]
    assert choose(logits, SamplingConfig(temperature=1e-6), coin).ids_B.tolist() == [1, 0]


def test_log_probabilities_are_the_raw_models_whatever_the_filters():
    logits = torch.randn(4, 30, generator=torch.Generator().manual_seed(2), dtype=torch.float32) * 3
    coin = torch.tensor([0.1, 0.4, 0.7, 0.95], dtype=torch.float64)
    for sampling in (SamplingConfig(temperature=0.0), SamplingConfig(temperature=2.0, top_k=5, top_p=0.9, min_p=0.1)):
        choice = choose(logits, sampling, coin)
        expected = logits.double().log_softmax(-1).gather(-1, choice.ids_B[:, None])[:, 0]
        assert (choice.logp_B - expected).abs().max() < 1e-6


def test_rows_do_not_depend_on_each_other():
    logits = torch.randn(9, 500, generator=torch.Generator().manual_seed(3))
    coins = torch.rand(9, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    sampling = SamplingConfig(temperature=1.3, top_p=0.9)
    together = choose(logits, sampling, coins).ids_B
    alone = [choose(logits[row : row + 1], sampling, coins[row : row + 1]).ids_B.item() for row in range(9)]
    assert together.tolist() == alone


def test_broken_weights_are_said_to_be_broken():
    for value in (math.nan, math.inf):
        with pytest.raises(ModelError, match="not a number"):
            choose(torch.tensor([[0.0, value]]), SamplingConfig(), torch.tensor([0.5], dtype=torch.float64))
