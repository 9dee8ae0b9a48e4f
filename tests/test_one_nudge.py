"""One nudge: what a step on a window does to it and to others; and how fast a machine trains."""

import math

import pytest
import torch

from lab.batching import pack
from lab.config import PretrainConfig
from lab.model import load_model, new_model
from lab.one_nudge import nudge, to_json
from lab.tokenizer import load_tokenizer
from lab.training_speed import training_speed
from lab.windows import encode_documents, pack_documents
from tests.tiny import TEXTS


@pytest.fixture(scope="module")
def windows(tiny_model):
    packed = pack_documents(encode_documents(TEXTS, load_tokenizer(tiny_model)), 40)
    return [[piece.tolist() for piece in packed[number]] for number in range(len(packed))]


def test_a_look_changes_nothing_and_says_what_the_model_says(tiny_model, windows):
    model = load_model(tiny_model)
    found = nudge(model, windows[0], windows[1:], rate=1e-3, steps=0)
    logps = model(pack(windows[0])).logp_L
    assert torch.allclose(torch.tensor([place.before for place in found.positions]), logps, atol=1e-5)
    assert found.before == found.after and found.grad_norm == 0
    assert all(before == after for before, after in found.others)
    targets = [id for piece in windows[0] for id in piece[1:]]
    for place, target in zip(found.positions, targets, strict=True):
        logp = {id: before for id, before, _ in place.top}
        assert logp[target] == place.before
        assert max(logp.values()) == next(iter(logp.values()))


def test_a_step_makes_its_window_likelier_and_leaves_the_model_alone(tiny_model, windows):
    model = load_model(tiny_model)
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    one = nudge(model, windows[0], windows[1:], rate=1e-3)
    ten = nudge(model, windows[0], windows[1:], rate=1e-3, steps=10)
    assert one.before == ten.before > one.after > ten.after
    assert one.grad_norm > 0 and len(one.others) == len(windows) - 1
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    # a loss is the mean of −log p over the window
    assert math.isclose(one.after, -sum(place.after for place in one.positions) / len(one.positions), rel_tol=1e-6)


def test_as_json_every_token_has_its_text(tiny_model, windows):
    found = to_json(nudge(load_model(tiny_model), windows[0], [], rate=1e-3, top=2), str)
    assert found["others"] == []
    for place in found["positions"]:
        assert all(text == str(id) for id, text, _, _ in place["top"])
        assert 2 <= len(place["top"]) <= 5


def test_speed_is_measured_on_the_texts(tiny_model):
    config = PretrainConfig(hidden_size=32, layers=2, heads=2, intermediate_size=48, context_length=64, max_length=40)
    tokenizer = load_tokenizer(tiny_model)
    packed = pack_documents(encode_documents(TEXTS, tokenizer), config.max_length)
    threads = torch.get_num_threads()
    speed = training_speed(new_model(config, tokenizer.vocab_size, 0), config, packed, seconds=0.1)
    assert torch.get_num_threads() == threads
    assert 0 < speed.tokens_per_second < speed.heldout_tokens_per_second
    assert 0 < speed.sample_seconds < 20
