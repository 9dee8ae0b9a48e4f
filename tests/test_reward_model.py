"""The reward model's page: against TRL, by hand, by what it does to a model, and the folders it leaves."""

import json
import math

import pytest
import torch

from lab.algorithms.reward_model import (
    calibration_error,
    centring_loss,
    comparison_losses,
    preference_loss,
    tie_loss,
)
from lab.chat_template import ChatTemplate
from lab.config import LoRAConfig, OptimizerConfig, RewardModelConfig
from lab.errors import ModelError
from lab.intervals import wilson
from lab.model import copy_tokenizer, load_model
from lab.preference_batching import encode_pairs, pack_rankings, pack_whole, rankings
from lab.run_dir import read_jsonl
from lab.scalar_head import (
    load_reward_model,
    reward_of,
    rewards,
    rewards_of_ids,
    save_reward_model,
    with_scalar_head,
)
from lab.tokenizer import load_tokenizer
from tests.tiny import PAIRS, make_preference_run, make_tiny_model, series, work_here

QUICK = RewardModelConfig(
    max_steps=6,
    batch_size=4,
    learning_rate=2e-3,
    eval_every=3,
    sample_every=0,
    checkpoint_every=2,
    device="cpu",
    optimizer=OptimizerConfig(warmup_steps=2),
)


def encoded(folder, rows=PAIRS[:8]):
    return encode_pairs(enumerate(rows), ChatTemplate.from_folder(folder), 256)


def with_random_head(folder):
    model = with_scalar_head(load_model(folder), load_tokenizer(folder))
    model.score.weight.data = torch.randn(model.score.weight.shape, generator=torch.Generator().manual_seed(0))
    return model


# --- by hand ---------------------------------------------------------------------------------------------------------


def test_the_losses_by_hand():
    better, worse = torch.tensor([2.0]), torch.tensor([1.0])
    assert preference_loss(better, worse).item() == pytest.approx(math.log(1 + math.exp(-1)))
    assert preference_loss(better, worse, margin_C=torch.tensor([1.0])).item() == pytest.approx(math.log(2))
    # ½ log(1 + e^−1) + ½ log(1 + e)
    expected = 0.5 * (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(1)))
    assert tie_loss(better, worse).item() == tie_loss(worse, better).item() == pytest.approx(expected)
    assert centring_loss(better, worse).item() == 9.0


def test_calibration_by_hand():
    # certainty σ(log 3) = ¾; three of four are right: honest. Four of four: a quarter too modest.
    sure = math.log(3.0)
    assert calibration_error(torch.tensor([sure, sure, sure, -sure])) == pytest.approx(0.0, abs=1e-6)
    assert calibration_error(torch.tensor([sure] * 4)) == pytest.approx(0.25)


def test_the_interval_is_wilsons():
    from scipy.stats import binomtest

    for count, n in ((0, 5), (3, 10), (190, 200)):
        known = binomtest(count, n).proportion_ci(0.95, method="wilson")
        assert wilson(count, n) == pytest.approx((known.low, known.high))
    assert wilson(0, 0) == (0.0, 1.0)


def test_all_pairs_of_a_ranking_are_one_element_and_every_reply_is_read_once(tiny_model):
    prompt = PAIRS[0]["prompt"]
    replies = ["Four.", "Three.", "Two.", "One."]
    ranked = [
        {"prompt": prompt, "chosen": replies[a], "rejected": replies[b]} for a in range(4) for b in range(a + 1, 4)
    ]
    first, second = rankings(encoded(tiny_model, [ranked[5], *ranked[:5], PAIRS[1]]))
    assert (len(first.texts), len(first.pairs), len(second.pairs)) == (4, 6, 1)
    part = pack_rankings([first, second])
    assert part.batch.losses == 6  # texts
    assert part.weight_C.tolist() == pytest.approx([1 / 6] * 6 + [1.0])
    # the ranking's loss is the mean over its pairs
    model = with_random_head(tiny_model)
    loss_C, chosen_C, _ = comparison_losses(model, part, 0.0)
    alone = pack_rankings(rankings(encoded(tiny_model, ranked[:1])))
    (expected,) = comparison_losses(model, alone, 0.0)[1]
    assert chosen_C[1].item() == pytest.approx(expected.item(), abs=1e-5)
    assert loss_C.shape == (7,)


# --- against TRL -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("with_margin", [False, True])
def test_loss_and_gradient_equal_those_of_trl(tiny_model, tmp_path, with_margin):
    import datasets
    from transformers import LlamaForSequenceClassification, PreTrainedTokenizerFast
    from trl import RewardConfig, RewardTrainer

    datasets.disable_progress_bars()
    ours = with_random_head(tiny_model)
    save_reward_model(ours, tmp_path / "head", tiny_model)
    centring = 0.0 if with_margin else 0.05
    rows = [row | ({"margin": 0.1 * n} if with_margin else {}) for n, row in enumerate(PAIRS[:8])]
    pairs = encoded(tiny_model, rows)
    theirs = LlamaForSequenceClassification.from_pretrained(tmp_path / "head", dtype=torch.float32)
    trainer = RewardTrainer(
        model=theirs,
        args=RewardConfig(
            output_dir=str(tmp_path / "trl"),
            bf16=False,
            gradient_checkpointing=False,
            use_cpu=True,
            report_to="none",
            center_rewards_coefficient=centring or None,
        ),
        train_dataset=datasets.Dataset.from_list([{"chosen": "b", "rejected": "c"}]),
        processing_class=PreTrainedTokenizerFast.from_pretrained(tiny_model),
    )
    trainer.model.train()
    batch = trainer.data_collator(
        [
            {"chosen_ids": pair.chosen.ids.tolist(), "rejected_ids": pair.rejected.ids.tolist()}
            | ({"margin": pair.margin} if with_margin else {})
            for pair in pairs
        ]
    )
    expected = trainer.compute_loss(trainer.model, dict(batch))
    expected.backward()

    loss_C, _, _ = comparison_losses(ours, pack_rankings(rankings(pairs)), centring)
    loss_C.mean().backward()
    assert math.isclose(loss_C.mean().item(), expected.item(), rel_tol=1e-5)
    known = dict(trainer.model.named_parameters())
    for name, parameter in ours.named_parameters():
        grad = known[name.removeprefix("body.")].grad
        assert (parameter.grad - grad).norm() < 1e-5 * grad.norm(), name


# --- what it does ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lora", [None, LoRAConfig(r=8)])
def test_it_learns_eight_pairs_by_heart_and_its_folder_loads_again(tiny_model, tmp_path, lora):
    config = QUICK.replace(max_steps=40, batch_size=8, learning_rate=1e-2, lora=lora, eval_every=20)
    run = make_preference_run(tmp_path, tiny_model, config)
    events = work_here(run)
    loss, accuracy = series(events, "loss/train"), series(events, "accuracy/train")
    assert loss[1] == pytest.approx(math.log(2))
    assert accuracy[1] == 0.5
    assert loss[40] < 0.15
    assert accuracy[40] == 1.0
    assert series(events, "accuracy/heldout_low")[40] <= series(events, "accuracy/heldout")[40]
    scores = {row["pair"]: row for row in read_jsonl(run.path / "scores.jsonl")}
    assert sorted(scores) == [0, 1, 2, 3]
    asked = [[*row["prompt"], {"role": "assistant", "content": row["chosen"]}] for row in PAIRS[8:]]
    again = rewards(load_reward_model(run.model), ChatTemplate.from_folder(run.model), asked)
    assert again == pytest.approx([scores[n]["chosen"] for n in range(4)], abs=1e-4)
    with pytest.raises(ModelError, match="a reward model: it gives a number"):
        load_model(run.model)
    with pytest.raises(ModelError, match="not a reward model"):
        load_reward_model(tiny_model)


def test_ties_pull_two_replies_together_and_fewer_labels_can_be_taken(tiny_model, tmp_path):
    rows = [row | {"tie": True} for row in PAIRS]
    run = make_preference_run(tmp_path, tiny_model, QUICK.replace(labels=3, batch_size=3), rows)
    events = work_here(run)
    assert series(events, "loss/train")[6] == pytest.approx(math.log(2), abs=0.02)
    assert series(events, "epoch")[1] == 1.0


def test_the_same_seed_gives_the_same_run(tiny_model, tmp_path):
    runs = [work_here(make_preference_run(tmp_path, tiny_model, QUICK.replace(seed=seed))) for seed in (1, 1, 2)]
    first, again, other = (series(events, "loss/train") for events in runs)
    assert first == again
    assert first != other


@pytest.mark.parametrize("lora", [None, LoRAConfig(r=4, dropout=0.2)])
def test_stopped_and_continued_equals_unbroken(tiny_model, tmp_path, lora):
    from tests.test_sft import StopAt

    config = QUICK.replace(lora=lora)
    unbroken = work_here(make_preference_run(tmp_path, tiny_model, config))
    run = make_preference_run(tmp_path, tiny_model, config)
    before = StopAt(run, 3).work()
    assert before[-1].type == "stopped"
    run.clear_requests()
    run.update(resume=True, attempt=2)
    after = work_here(run)
    for name in ("loss/train", "loss/heldout", "calibration/heldout", "grad_norm", "accuracy/heldout", "tokens"):
        assert series(before, name) | series(after, name) == series(unbroken, name), name
    assert min(series(after, "loss/train")) == 4


def test_parts_of_a_batch_give_the_step_of_the_whole(tiny_model, tmp_path):
    runs = [
        work_here(make_preference_run(tmp_path, tiny_model, QUICK.replace(gradient_accumulation=parts)))
        for parts in (1, 3)
    ]
    whole, cut = (series(events, "loss/train") for events in runs)
    assert all(math.isclose(whole[step], cut[step], rel_tol=1e-5) for step in whole)


# --- in use ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tiny_model, tmp_path_factory):
    """A run folder whose model likes what `PAIRS` say."""
    config = QUICK.replace(max_steps=30, batch_size=8, learning_rate=1e-2, eval_every=0, checkpoint_every=0)
    run = make_preference_run(tmp_path_factory.mktemp("runs"), tiny_model, config)
    work_here(run)
    return run


def test_it_is_a_reward_like_any_other(trained):
    from lab.rewards import Sample

    row = PAIRS[3]
    samples = [Sample(row["prompt"][0]["content"], row[name]) for name in ("chosen", "rejected")]
    chosen, rejected = reward_of(trained.model)(samples)
    assert chosen.value > rejected.value
    assert not chosen.error


def test_the_model_process_gives_rewards_and_what_each_token_does(trained, tiny_model):
    from lab.model_engine import Engine

    engine, model = Engine(1 << 30), str(trained.model)
    row = PAIRS[3]
    asked = [[*row["prompt"], {"role": "assistant", "content": row[name]}] for name in ("chosen", "rejected")]
    (chosen, rejected) = engine.reward({"model": model, "conversations": asked})["rewards"]
    assert chosen > rejected
    found = engine.reward_without({"model": model, "messages": asked[0]})
    assert found["reward"] == pytest.approx(chosen, abs=1e-5)
    texts = [token["text"] for token in found["tokens"]]
    assert "".join(texts) == row["chosen"] + "<|end|>"
    template = ChatTemplate.from_folder(trained.model)
    whole = template.encode(asked[0]).ids
    first = len(whole) - len(texts)
    without = rewards_of_ids(load_reward_model(trained.model), [whole[:first] + whole[first + 1 :]])[0]
    assert found["tokens"][0]["effect"] == pytest.approx(chosen - without, abs=1e-5)
    with pytest.raises(ModelError, match="it gives a number"):
        engine.prompt({"model": model, "prompt": "Hello"})
    with pytest.raises(ModelError, match="gives no reward"):
        engine.reward({"model": str(tiny_model), "conversations": asked})


def test_a_reward_model_is_known_as_one_and_is_no_start_for_writing(trained, tmp_path):
    from tests.parts import Parts, settings

    with Parts(tmp_path) as parts:
        reference = str(trained.model)
        info = parts.models.add(reference)
        assert info.is_reward and not info.is_chat
        assert not parts.models.info("bundled:base").is_reward
        assert parts.models.resolve_reward(reference) == trained.model.resolve()
        with pytest.raises(ModelError, match="a reward model is wanted"):
            parts.models.resolve_reward("bundled:base")
        with pytest.raises(ModelError, match="writes nothing"):
            parts.runs.start(settings(5, model=reference))


# --- folders ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("lora", [None, LoRAConfig(r=4)])
def test_our_folder_is_read_by_transformers_and_peft(tiny_model, tmp_path, lora):
    from peft import AutoPeftModelForSequenceClassification
    from transformers import AutoModelForSequenceClassification

    model = make_tiny_model(tmp_path / "untied", tied=False)
    run = make_preference_run(tmp_path, model, QUICK.replace(lora=lora))
    work_here(run)
    ids = encoded(model)[3].chosen.ids
    with torch.no_grad():
        ours = load_reward_model(run.model)(pack_whole([ids])).item()
        auto = AutoPeftModelForSequenceClassification if lora else AutoModelForSequenceClassification
        more = {"num_labels": 1} if lora else {}
        theirs = auto.from_pretrained(run.model, **more).eval()
        assert theirs(torch.tensor([ids.tolist()])).logits.item() == pytest.approx(ours, abs=1e-5)
    if not lora:
        config = json.loads((run.model / "config.json").read_text())
        assert config["architectures"] == ["LlamaForSequenceClassification"]


@pytest.mark.slow
@pytest.mark.parametrize("lora", [None, LoRAConfig(r=4)])
def test_a_head_on_a_network_of_transformers(tiny_model, tmp_path, lora):
    from transformers import GPT2Config, GPT2LMHeadModel

    folder = tmp_path / "gpt2"
    size = load_tokenizer(tiny_model).vocab_size
    shape = GPT2Config(vocab_size=size, n_embd=32, n_layer=2, n_head=2, n_positions=128, bos_token_id=0, eos_token_id=4)
    GPT2LMHeadModel(shape).save_pretrained(folder)
    copy_tokenizer(tiny_model, folder)
    config = QUICK.replace(max_steps=30, batch_size=8, learning_rate=1e-2, lora=lora, eval_every=30)
    run = make_preference_run(tmp_path, folder, config)
    events = work_here(run)
    assert series(events, "loss/train")[30] < 0.3
    scores = {row["pair"]: row for row in read_jsonl(run.path / "scores.jsonl")}
    asked = [[*row["prompt"], {"role": "assistant", "content": row["rejected"]}] for row in PAIRS[8:]]
    again = rewards(load_reward_model(run.model), ChatTemplate.from_folder(run.model), asked)
    assert again == pytest.approx([scores[n]["rejected"] for n in range(4)], abs=1e-4)


def test_margins_and_ties_of_an_uploaded_file_are_kept(tmp_path):
    from lab.datasets import Datasets
    from lab.run_dir import write_jsonl

    file = tmp_path / "graded.jsonl"
    rows = [{"prompt": "Hi", "chosen": f"Hello {n}", "rejected": "What?"} for n in range(3)]
    write_jsonl(file, [rows[0] | {"margin": 1.5}, rows[1] | {"tie": True}, rows[2] | {"margin": None}])
    sets = Datasets(tmp_path / "sets")
    assert sets.add(file, "graded").rows == 3
    assert [(pair.margin, pair.tie) for pair in sets.records("graded")] == [(1.5, False), (0.0, True), (0.0, False)]


def test_a_policy_is_trained_on_it(trained, tiny_model, tmp_path):
    from lab.config import GRPOConfig
    from tests.tiny import make_rl_run

    small = {"batch_size": 4, "group_size": 2, "max_new_tokens": 8, "heldout_problems": 2}
    config = GRPOConfig(reward="run:judge", max_steps=2, eval_every=0, sample_every=0, device="cpu", **small)
    run = make_rl_run(tmp_path, tiny_model, config, reward_folders={"run:judge": str(trained.model)})
    found = series(work_here(run), "reward/mean")
    assert len(found) == 2
    assert all(math.isfinite(value) and value != 0 for value in found.values())
