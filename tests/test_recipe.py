"""The recipe of the bundled model: its tokenizer, its export, the sample files."""

import json
from pathlib import Path

import pytest
import torch

from lab.world import World
from lab.world.samples import broken_lines, write_samples
from lab.world.tokenizer import CONTROL_TOKENS, TOOL_TOKENS, save_tokenizer, train_tokenizer


@pytest.fixture(scope="module")
def tokenizer_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    texts = (document.text for document in World(0).documents(1500, split="tokenizer"))
    save_tokenizer(train_tokenizer(texts, 600), folder, context_length=256)
    return folder


@pytest.fixture(scope="module")
def tokenizer(tokenizer_folder):
    from lab.tokenizer import load_tokenizer

    return load_tokenizer(tokenizer_folder)


@pytest.mark.parametrize(
    "text",
    ["", " ", "Hello", "naïve 日本語 🙂 \x00\x7f", "a\n\n\tb  c ", "<|user|> is text here", "1234567890", "9.11"],
)
def test_any_text_comes_back(tokenizer, text):
    assert tokenizer.decode(tokenizer.ids(text)) == text


def test_every_byte_is_in_the_vocabulary(tokenizer):
    singles = {tokenizer.token_bytes(token) for token in range(tokenizer.vocab_size)}
    assert {bytes([value]) for value in range(256)} <= singles


def test_digits_stand_alone(tokenizer):
    assert [tokenizer.token_text(token) for token in tokenizer.ids("37*12=444")] == list("37*12=444")


def test_the_name_and_the_tools_are_one_token(tokenizer):
    assert len(tokenizer.ids(" Nudge")) == 1
    for token in TOOL_TOKENS:
        (only,) = tokenizer.ids(token)
        assert tokenizer.token_text(only) == token


def test_control_tokens_are_not_made_from_text(tokenizer):
    for token in CONTROL_TOKENS:
        assert len(tokenizer.ids(token)) > 1
        assert len(tokenizer.ids(token, parse_special=True)) == 1


def test_the_chat_template_marks_replies_and_their_end(tokenizer_folder, tokenizer):
    from lab.chat_template import ChatTemplate

    messages = [{"role": "user", "content": "Hello!"}, {"role": "assistant", "content": "Good morning!"}]
    encoded = ChatTemplate.from_folder(tokenizer_folder).encode(messages)
    learned = [token for token, loss in zip(encoded.ids, encoded.loss_mask) if loss]
    assert learned == [*tokenizer.ids("Good morning!"), tokenizer.special_tokens["<|end|>"]]


def test_shipping_gives_chat_tokens_a_place_and_keeps_the_rest(tokenizer_folder, tmp_path):
    from lab.config import PretrainConfig
    from lab.model import load_model, new_model, save_model
    from lab.world.export import ship

    config = PretrainConfig(hidden_size=32, layers=1, heads=2, intermediate_size=48, context_length=64)
    model = new_model(config, 600, seed=0, about={})
    save_model(model, tmp_path / "trained", tokenizer_from=tokenizer_folder)
    ship(tmp_path / "trained", tmp_path / "shipped", fresh=True)
    assert json.loads((tmp_path / "shipped" / "config.json").read_text())["dtype"] == "float32"
    assert set(load_model(tmp_path / "shipped").end_ids) == {0, 4}
    before, after = model.head_weight.detach(), load_model(tmp_path / "shipped").head_weight.detach()
    assert torch.allclose(before[6:], after[6:], atol=1e-3)
    assert torch.allclose(before[0], after[0], atol=1e-3)
    moved = after[1] - before[0]
    assert moved.norm() == pytest.approx(2.0, abs=0.01)


def test_samples_are_the_ones_in_the_assets(tmp_path):
    assets = Path(__file__).parents[1] / "assets"
    write_samples(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [
        *("alpaca_style.json", "broken.jsonl", "nudge_identity.jsonl", "pirate.json", "questions.csv"),
        *("story_pairs.jsonl", "sums.jsonl", "world_chat.jsonl"),
    ]
    for name in names:
        assert (tmp_path / name).read_bytes() == (assets / "samples" / name).read_bytes(), name
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 2_000_000


def test_the_broken_sample_has_good_rows_too():
    good = 0
    for line in broken_lines():
        try:
            messages = json.loads(line)["messages"]
            good += [m["role"] for m in messages] == ["user", "assistant"] and all(m["content"] for m in messages)
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
    assert good >= 8


@pytest.mark.slow
def test_the_recipe_from_end_to_end(tmp_path):
    """The smallest preset: two stages by real workers, and a model that has learnt the form of pages."""
    from lab.events import read_events
    from lab.world.recipe import PRESETS, make

    make(tmp_path / "work", PRESETS["nano"], tmp_path / "models")
    events, _ = read_events(tmp_path / "work" / "stage-2" / "events.jsonl")
    losses = [e.fields["values"]["loss/heldout"] for e in events if "loss/heldout" in e.fields.get("values", {})]
    assert losses[-1] < 3.0
    for name in ("base", "sft"):
        assert (tmp_path / "models" / name / "model.safetensors").stat().st_size < 4_000_000
    make(tmp_path / "work", PRESETS["nano"], tmp_path / "again")  # all is done: only the export runs
    for name in ("base", "sft"):
        again, first = (tmp_path / folder / name / "model.safetensors" for folder in ("again", "models"))
        assert again.read_bytes() == first.read_bytes()


def test_a_stage_ends_at_its_share_of_the_learning_rate():
    from lab.optimizers import schedule
    from lab.world.recipe import PRESETS

    first, second = PRESETS["cpu"].stages
    config = first.config("").optimizer
    # warm-up to 1 after 40 steps, then down along a line to 0.3586
    assert schedule(40, first.steps, config) == pytest.approx(1.0)
    assert schedule((40 + first.steps) // 2, first.steps, config) == pytest.approx((1 + 0.3586) / 2, abs=1e-3)
    assert schedule(first.steps, first.steps, config) == pytest.approx(0.3586)
    assert second.config("x").learning_rate == pytest.approx(0.5 * first.config("").learning_rate)


@pytest.mark.parametrize(
    ("file", "format", "rows", "problems"),
    [
        ("nudge_identity.jsonl", "messages", 400, 0),
        ("world_chat.jsonl", "messages", 1500, 0),
        ("pirate.json", "sharegpt", 400, 0),
        ("alpaca_style.json", "alpaca", 300, 0),
        ("broken.jsonl", "messages", 8, 20),
    ],
)
def test_samples_import_with_a_true_report(tmp_path, file, format, rows, problems):
    from lab.datasets import Datasets

    report, _ = Datasets(tmp_path).inspect_file(Path(__file__).parents[1] / "assets" / "samples" / file)
    assert (report.format, report.rows, len(report.problems)) == (format, rows, problems)
    assert all(problem.row and problem.reason and problem.fix for problem in report.problems)
