"""The pretraining page."""

import itertools
import math
import shutil

import pytest
import torch

from lab.algorithms.pretrain import bits_per_byte, next_token_loss
from lab.config import OptimizerConfig, PretrainConfig
from lab.errors import ConfigError, DataError
from lab.model import load_model
from lab.run_dir import RunDir, write_jsonl
from lab.tokenizer import load_tokenizer
from tests.tiny import TEXTS, series, work_here

QUICK = PretrainConfig(
    max_steps=6,
    batch_size=2,
    max_length=48,
    context_length=64,
    hidden_size=32,
    heads=2,
    layers=2,
    intermediate_size=48,
    eval_every=3,
    sample_every=3,
    checkpoint_every=4,
    device="cpu",
    optimizer=OptimizerConfig(warmup_steps=2, beta2=0.95),
)


def make_run(folder, tokenizer, config, rows=tuple(TEXTS), **about):
    run = RunDir.create(folder, config, {"model_folder": str(tokenizer), "resume": False, **about})
    write_jsonl(run.data / "train.jsonl", [{"text": text} for text in rows])
    write_jsonl(run.data / "heldout.jsonl", [{"text": text} for text in TEXTS[:2]])
    return run


def test_equations_by_hand():
    assert next_token_loss(torch.tensor([-1.0, -3.0]), 2).item() == 2.0
    # 16 tokens at log 2 nats each are 16 bits; over 8 bytes 2 bits per byte
    assert math.isclose(bits_per_byte(16 * math.log(2), 8), 2.0)


def test_it_learns_a_few_documents_by_heart(tiny_model, tmp_path):
    config = QUICK.replace(
        max_steps=90,
        learning_rate=3e-2,
        sample_every=90,
        eval_every=0,
        checkpoint_every=0,
        sample_prompts=("Mira",),
    )
    run = make_run(tmp_path, tiny_model, config)
    events = work_here(run)
    loss = series(events, "loss/train")
    assert loss[1] > 5 > 0.3 > loss[90]
    texts = [event.fields["text"] for event in events if event.type == "sample"]
    assert texts[-1] == TEXTS[0].removeprefix("Mira")
    assert load_model(run.model).context_length == 64
    assert (run.model / "tokenizer.json").is_file()


def test_measured_on_heldout_text_at_the_start_in_between_and_at_the_end(tiny_model, tmp_path):
    events = work_here(make_run(tmp_path, tiny_model, QUICK))
    measured = series(events, "bits_per_byte/heldout")
    assert list(measured) == [0, 3, 6]
    assert measured[6] < measured[0]
    # a model that knows nothing needs about log2(vocabulary) bits per token
    per_token = series(events, "loss/heldout")[0] / math.log(2)
    vocabulary = load_model(tiny_model).config.vocab_size
    assert abs(per_token - math.log2(vocabulary)) < 0.2
    assert [event.fields["step"] for event in events if event.type == "sample"] == [0, 0, 3, 3, 6, 6]


@pytest.mark.parametrize("matrix_learning_rate", [0.02, 0.0])
def test_a_run_that_lost_its_last_steps_repeats_them(tiny_model, tmp_path, matrix_learning_rate):
    config = QUICK.replace(matrix_learning_rate=matrix_learning_rate, sample_every=0)
    run = make_run(tmp_path, tiny_model, config)
    unbroken = work_here(run)
    shutil.rmtree(run.checkpoint(6))
    run.update(resume=True, attempt=2)
    again = work_here(run)
    for name in ("loss/train", "loss/heldout", "grad_norm"):
        expected = series(unbroken, name)
        assert series(again, name) == {step: value for step, value in expected.items() if step > 4}
    assert len(set(series(unbroken, "loss/train").values())) == 6


def test_a_tokenizer_is_learned_from_the_text(tiny_model, tmp_path):
    run = make_run(tmp_path, tiny_model, QUICK.replace(max_steps=2, vocabulary=310))
    work_here(run)
    learned = load_tokenizer(run.model)
    assert learned.vocab_size == load_model(run.model).config.vocab_size <= 310
    assert learned.decode(learned.ids(TEXTS[0])) == TEXTS[0]
    assert len(learned.ids(TEXTS[3])) < len(TEXTS[3].encode())  # it has merged something
    with pytest.raises(ConfigError, match="at least 300"):
        QUICK.replace(vocabulary=20)


def test_it_goes_on_from_a_model(tiny_model, tmp_path):
    config = QUICK.replace(max_steps=2, model="some:model", sample_every=0, eval_every=1)
    events = work_here(make_run(tmp_path, tiny_model, config))
    started = next(event for event in events if event.type == "started")
    assert started.fields["parameters"] == sum(p.numel() for p in load_model(tiny_model).parameters())


def test_no_text_is_an_error_that_says_so(tiny_model, tmp_path):
    with pytest.raises(DataError, match="no documents"):
        work_here(make_run(tmp_path, tiny_model, QUICK, rows=()))


@pytest.mark.slow
def test_from_noise_to_pages_again_and_again_the_same(tmp_path):
    """Sixty steps of the nano size on the world: below a stated loss, and the second time the very same numbers."""
    from lab.builtin_datasets import BuiltinDataset
    from lab.pretrain_forecast import SIZES
    from lab.tokenizer import ASSETS

    texts = [row.to_json() for row in itertools.islice(BuiltinDataset("world:documents"), 2000)]
    config = SIZES["nano"].replace(max_steps=60, eval_every=60, sample_every=0, checkpoint_every=0, seed=7)
    losses = []
    for attempt in ("once", "again"):
        run = RunDir.create(tmp_path / attempt, config, {"model_folder": str(ASSETS / "base"), "resume": False})
        write_jsonl(run.data / "train.jsonl", texts[:1900])
        write_jsonl(run.data / "heldout.jsonl", texts[1900:])
        events = work_here(run)
        losses.append(series(events, "loss/train"))
        assert series(events, "bits_per_byte/heldout")[60] < 1.9  # noise needs 3.9
    assert losses[0] == losses[1]
