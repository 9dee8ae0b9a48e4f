"""What a training takes before it begins, by hand; and how the page says it."""

import math

import pytest

from lab.config import PretrainConfig
from lab.model import new_model
from lab.pretrain_forecast import EXAMPLES, SIZES, gpu_hours, operations, parameters, tokens, training_seconds
from lab.tokenizer import load_tokenizer
from lab.windows import encode_documents, pack_documents
from tests.tiny import TEXTS
from ui.training_cost import cost_value, forecast, length, power
from ui.widgets import unpacked
from ui.widgets.window import sentences, window_value


@pytest.mark.parametrize("size", ["nano", "small"])
def test_parameters_are_those_of_the_network(size):
    model = new_model(SIZES[size], 2048, 0)
    assert parameters(SIZES[size], 2048) == sum(parameter.numel() for parameter in model.parameters())


def test_gpt2_as_it_was_made_again():
    example = EXAMPLES[0]
    work = operations(example.parameters, example.tokens)
    assert math.isclose(work, 3.145e20, rel_tol=1e-3)  # 6 · 1.56e9 · 33.6e9
    assert 215 < gpu_hours(work) < 225  # 3.145e20 / (0.4 · 989e12) / 3600


def test_seconds_of_a_run_by_hand():
    config = PretrainConfig(max_steps=100, batch_size=10, max_length=50, eval_every=20, sample_every=50)
    assert tokens(config) == 50_000
    rates = {"tokens_per_second": 1000.0, "heldout_tokens_per_second": 3000.0, "sample_seconds": 2.0}
    # 50 s of steps, 6 measurements of 3,000 tokens (0.3 · 20 steps of 500; 9,000 are there), 3 looks of 2 s
    assert training_seconds(config, 9_000, **rates) == 50 + 6 * 1 + 3 * 2
    assert training_seconds(config, 600, **rates) == 50 + 6 * 0.2 + 3 * 2
    last_only = config.replace(eval_every=0, sample_every=0)
    assert training_seconds(last_only, 9_000, **rates) == 50 + 3


def test_the_table_of_costs():
    table = unpacked(cost_value("this run", 1e6, 1e6, 90.0, 6e9, 2.0))
    assert table["rows"][0][:5] == ["this run", "1 M", "1 M", "6.0 · 10¹²", "about 1 min 30 s"]
    assert table["rows"][1][5:7] == ["221", "442"]
    assert "6 · 10⁹" in table["note"]
    waiting = unpacked(cost_value("this run", 1e6, 1e6, None, None, 2.0))
    assert waiting["rows"][0][4] == "being measured" and waiting["rows"][1][4] == ""


def test_words():
    assert [power(3.14e20), power(999)] == ["3.1 · 10²⁰", "1.0 · 10³"]
    assert [length(90), length(86400 * 30), length(86400 * 3652.5)] == ["1 min 30 s", "30 days", "10 years"]
    assert "being measured" in forecast(400, 1e6, None, None)
    assert "about 1 min at 10 k tokens/s" in forecast(400, 1e6, 61, {"tokens_per_second": 10_000})


def test_a_window_as_the_page_shows_it(tiny_model):
    tokenizer = load_tokenizer(tiny_model)
    window = [piece.tolist() for piece in pack_documents(encode_documents(TEXTS[:1], tokenizer), 60)[0]]
    places = len(window[0]) - 1
    top = [[window[0][1], "x", math.log(0.5), math.log(0.25)]]
    found = {
        "positions": [{"before": math.log(0.5), "after": math.log(0.25), "top": top}] * places,
        "before": math.log(2),
        "after": math.log(4),
        "others": [(math.log(2), math.log(4)), (math.log(4), math.log(2))],
    }
    value = unpacked(window_value(tokenizer, window, found, 1))
    assert [token[3] for token in value["tokens"][:3]] == [None, 0, 1]
    assert value["places"][0]["top"] == [[window[0][1], "x", 0.5, 0.25, True]]
    assert value["others"] == [-1.0, 1.0]
    assert "1.00 → 2.00 bits per token" in value["words"][0]
    assert "2 windows it did not see: 1 became easier, 1 harder; on average 1.50 → 1.50" in value["words"][1]
    assert sentences(found, 0) == ["The model needs 1.00 bits for a token of this window, on average."]
    assert unpacked(window_value(tokenizer, window))["places"] == []
