"""One choice taken apart: the same bars and the same coin as the decoding loop."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.chance import keys_for, row_state, uniforms
from lab.config import SamplingConfig
from lab.next_token import NextToken, fall, stages
from lab.sampling import choose, filtered

SETTINGS = st.builds(
    SamplingConfig,
    temperature=st.sampled_from([0.5, 0.8, 1.0, 1.7]),
    top_k=st.sampled_from([0, 1, 5, 20]),
    top_p=st.sampled_from([0.3, 0.9, 1.0]),
    min_p=st.sampled_from([0.0, 0.05, 0.3]),
)


@given(st.integers(0, 10_000), SETTINGS)
@settings(max_examples=80, deadline=None)
def test_the_same_bars_and_the_same_pick_as_the_decoding_loop(seed, sampling):
    logits = torch.randn(1, 60, generator=torch.Generator().manual_seed(seed)) * 3
    logprobs = logits.double().log_softmax(-1).float().numpy()[0]
    weights = ((logits - logits.amax()) / sampling.temperature).exp()
    wanted = filtered(weights, sampling)[0]
    found = stages(logprobs, sampling)[-1].shares_V
    assert np.allclose(found, (wanted / wanted.sum()).numpy(), atol=1e-5)
    for coin in (0.0, 0.37, 0.93):
        (id,) = choose(logits, sampling, torch.tensor([coin], dtype=torch.float64)).ids_B.tolist()
        fell = fall(found, coin)
        assert fell.id == id or min(abs(coin - fell.start), abs(coin - fell.end)) < 1e-6
        assert fell.start - 1e-9 <= coin <= fell.end + 1e-9


def test_the_steps_by_hand():
    logprobs = np.log(np.array([0.5, 0.25, 0.125, 0.125], dtype=np.float32))
    sampling = SamplingConfig(temperature=1.0, top_k=3, top_p=0.6, min_p=0.6)
    # 3 of 4 are left of top-k (two are equal: both stay), 2 make up 60 %, 1 has 60 % of the largest.
    named = [(stage.name, stage.left) for stage in stages(logprobs, sampling)]
    assert named == [("model", 4), ("top-k", 4), ("top-p", 2), ("min-p", 1)]
    greedy = stages(logprobs, SamplingConfig(temperature=0.0))
    assert [(stage.name, stage.left) for stage in greedy] == [("model", 4), ("temperature 0", 1)]


def test_the_coin_is_the_one_of_the_decoding_loop():
    ids = [3, 1, 4]
    (key,) = keys_for([ids])
    wanted = uniforms(np.array([row_state(7, key)], dtype=np.uint64), np.array([5], dtype=np.uint64))[0]
    assert NextToken(np.zeros(4, np.float32), tuple(ids), 5).coin(7) == pytest.approx(float(wanted))
