"""The DPO page: against TRL, by hand, and by what it does to a model."""

import math
import time

import pytest
import torch

from lab.algorithms.dpo import dpo_loss, ipo_loss, length_normalised_dpo_loss, pair_losses, reply_logps
from lab.chat_template import ChatTemplate
from lab.checkpoint import Checkpoints
from lab.config import DPOConfig, LoRAConfig, OptimizerConfig
from lab.errors import DataError
from lab.events import null_reporter, read_events
from lab.model import load_model, save_model
from lab.preference_batching import encode_pairs
from lab.training import TrainingRun, make_accelerator
from tests.tiny import PAIRS, make_preference_run, make_tiny_model, series, work_here

QUICK = DPOConfig(
    max_steps=6,
    batch_size=4,
    learning_rate=2e-3,
    eval_every=3,
    sample_every=0,
    checkpoint_every=2,
    device="cpu",
    optimizer=OptimizerConfig(warmup_steps=2),
)
TRL_NAMES = {"dpo": "sigmoid", "ipo": "ipo", "length_normalised": "sigmoid_norm"}


def encoded(folder, rows=PAIRS[:8]):
    return encode_pairs(enumerate(rows), ChatTemplate.from_folder(folder), 256)


def around(config):
    return TrainingRun(config, make_accelerator(config), null_reporter(), Checkpoints(None, save_model))


def test_the_losses_by_hand():
    # log-ratios: chosen −1 − (−2) = 1, rejected −4 − (−3) = −1; their difference is 2
    four = [torch.tensor([value]) for value in (-1.0, -4.0, -2.0, -3.0)]
    loss, margin = dpo_loss(*four, beta=0.5)
    assert margin.item() == pytest.approx(1.0)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-1.0)))
    # of 2 and 4 tokens: ½ − (−¼) = ¾ per token
    sizes = {"chosen_tokens_B": torch.tensor([2]), "rejected_tokens_B": torch.tensor([4])}
    loss, margin = ipo_loss(*four, beta=0.5, **sizes)
    assert (loss.item(), margin.item()) == (pytest.approx((0.75 - 1.0) ** 2), pytest.approx(0.375))
    loss, margin = length_normalised_dpo_loss(*four, beta=4.0, **sizes)
    assert (loss.item(), margin.item()) == (pytest.approx(math.log(1 + math.exp(-3.0))), pytest.approx(3.0))


def test_only_the_last_reply_of_a_pair_counts(tiny_model):
    row = {"prompt": [*PAIRS[0]["prompt"], {"role": "assistant", "content": "Yes."}, *PAIRS[1]["prompt"]]}
    (pair,) = encoded(tiny_model, [row | {"chosen": "It is 3.", "rejected": "No."}])
    (alone,) = encoded(tiny_model, [{"prompt": PAIRS[1]["prompt"], "chosen": "It is 3.", "rejected": "No."}])
    assert (pair.chosen.targets, pair.rejected.targets) == (alone.chosen.targets, alone.rejected.targets)
    assert pair.chosen.mask[-pair.chosen.targets :].all()


@pytest.mark.slow
@pytest.mark.parametrize("variant", TRL_NAMES)
def test_loss_and_gradient_equal_those_of_trl(tiny_model, tmp_path, variant):
    import datasets
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast
    from trl import DPOConfig as TRLConfig
    from trl import DPOTrainer

    datasets.disable_progress_bars()
    other = make_tiny_model(tmp_path / "policy", seed=1)
    pairs = encoded(tiny_model)
    rows = []
    for pair in pairs:
        first = len(pair.chosen.ids) - pair.chosen.targets
        ids = {"prompt_ids": pair.chosen.ids[:first], "chosen_ids": pair.chosen.ids[first:]}
        rows.append({k: v.tolist() for k, v in (ids | {"rejected_ids": pair.rejected.ids[first:]}).items()})
    trainer = DPOTrainer(
        model=LlamaForCausalLM.from_pretrained(other, dtype=torch.float32),
        ref_model=LlamaForCausalLM.from_pretrained(tiny_model, dtype=torch.float32),
        args=TRLConfig(
            output_dir=str(tmp_path / "trl"),
            bf16=False,
            gradient_checkpointing=False,
            use_cpu=True,
            report_to="none",
            beta=0.3,
            loss_type=[TRL_NAMES[variant]],
        ),
        train_dataset=datasets.Dataset.from_list([{"prompt": "a", "chosen": "b", "rejected": "c"}]),
        processing_class=PreTrainedTokenizerFast.from_pretrained(tiny_model),
    )
    trainer.model.train()
    expected = trainer.compute_loss(trainer.model, dict(trainer.data_collator(rows)))
    expected.backward()

    config = QUICK.replace(variant=variant, beta=0.3)
    run = around(config)
    with torch.no_grad():
        reference = torch.stack(reply_logps(load_model(tiny_model), pairs, run), 1)
    model = load_model(other)
    loss_B, _ = pair_losses(model, pairs, reference, config, run)
    loss_B.mean().backward()
    assert math.isclose(loss_B.mean().item(), expected.item(), rel_tol=1e-5)
    theirs = dict(trainer.model.named_parameters())
    for name, parameter in model.named_parameters():
        assert (parameter.grad - theirs[name].grad).norm() < 1e-5 * theirs[name].grad.norm(), name


@pytest.mark.parametrize("variant", TRL_NAMES)
@pytest.mark.parametrize("lora", [None, LoRAConfig(r=8)])
def test_it_learns_eight_pairs_by_heart(tiny_model, tmp_path, variant, lora):
    beta = {"dpo": 0.5, "ipo": 0.5, "length_normalised": 5.0}[variant]
    config = QUICK.replace(max_steps=30, batch_size=8, learning_rate=1e-2, lora=lora, eval_every=0, checkpoint_every=0)
    events = work_here(make_preference_run(tmp_path, tiny_model, config.replace(variant=variant, beta=beta)))
    loss, accuracy = series(events, "loss/train"), series(events, "accuracy/train")
    assert loss[1] == pytest.approx(1.0 if variant == "ipo" else math.log(2), abs=1e-4)
    assert accuracy[1] == 0.5
    assert loss[30] < 0.25
    assert accuracy[30] == 1.0
    assert series(events, "margin/train")[30] > 0.1
    assert events[-1].type == "finished"


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
    assert (run.path / "reference.safetensors").is_file()
    run.clear_requests()
    run.update(resume=True, attempt=2)
    after = work_here(run)
    for name in ("loss/train", "loss/heldout", "margin/heldout", "grad_norm", "accuracy/heldout", "tokens"):
        assert series(before, name) | series(after, name) == series(unbroken, name), name
    assert min(series(after, "loss/train")) == 4


def test_reference_logps_are_worked_out_once(tiny_model, tmp_path, monkeypatch):
    from lab.algorithms import dpo

    calls = []
    original = dpo.reference_logps

    def counted(model, pairs, wanted, size, run):
        calls.append(sorted(wanted))
        return original(model, pairs, wanted, size, run)

    monkeypatch.setattr(dpo, "reference_logps", counted)
    run = make_preference_run(tmp_path, tiny_model, QUICK.replace(max_steps=1, eval_every=0))
    work_here(run)
    run.update(resume=True, attempt=2)
    work_here(run)
    (wanted,) = calls  # the four pairs of the only step, and the four held-out ones
    assert len(wanted) == 8
    assert wanted[4:] == [8, 9, 10, 11]


def test_parts_of_a_batch_give_the_step_of_the_whole(tiny_model, tmp_path):
    runs = [
        work_here(make_preference_run(tmp_path, tiny_model, QUICK.replace(gradient_accumulation=parts)))
        for parts in (1, 3)
    ]
    whole, cut = (series(events, "loss/train") for events in runs)
    assert all(math.isclose(whole[step], cut[step], rel_tol=1e-5) for step in whole)


def test_pairs_that_are_too_long_or_ties_are_left_out_and_none_is_refused(tiny_model, tmp_path):
    rows = [*PAIRS[:6], PAIRS[6] | {"chosen": "Yes. " * 300}, PAIRS[7] | {"tie": True}]
    run = make_preference_run(tmp_path, tiny_model, QUICK.replace(max_steps=1), rows)
    events = work_here(run)
    said = [event.fields["text"] for event in events if event.type == "message"]
    assert "1 of 7 pairs are left out: a reply ends after 256 tokens." in said
    with pytest.raises(DataError, match=r"None of the 7 pairs fits into 8 tokens.*max_length"):
        work_here(make_preference_run(tmp_path, tiny_model, QUICK.replace(max_length=8), rows))


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["dpo", "reward_model"])
def test_two_processes_take_the_steps_of_one(tiny_model, tmp_path, algorithm):
    from lab.launcher import Launcher
    from tests.test_reward_model import QUICK as REWARD

    config = QUICK if algorithm == "dpo" else REWARD
    alone = work_here(make_preference_run(tmp_path / "one", tiny_model, config))
    run = make_preference_run(tmp_path / "two", tiny_model, config.replace(processes=2, gradient_accumulation=2))
    launcher = Launcher()
    worker, _ = launcher.launch(run, 2)
    deadline = time.monotonic() + 300
    while launcher.is_alive(run, worker) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert launcher.kill(run, worker), "processes are left"
    events = read_events(run.events)[0]
    assert events[-1].type == "finished", run.log.read_text()[-2000:]
    assert next(event for event in events if event.type == "started").fields["world_size"] == 2
    for name in ("loss/train", "loss/heldout", "grad_norm", "accuracy/train", "accuracy/heldout", "reward/chosen"):
        one, two = series(alone, name), series(events, name)
        assert one.keys() == two.keys()
        assert all(abs(one[step] - two[step]) < 2e-5 * max(1, abs(one[step])) for step in one), name


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["dpo", "reward_model"])
def test_paused_killed_and_resumed_gives_the_unbroken_losses(tiny_model, tmp_path, algorithm):
    from tests.test_reward_model import QUICK as REWARD
    from tests.test_worker import events_of, start, wait_for

    config = (QUICK if algorithm == "dpo" else REWARD).replace(max_steps=300, checkpoint_every=50, eval_every=100)
    expected = series(work_here(make_preference_run(tmp_path / "a", tiny_model, config)), "loss/train")
    run = make_preference_run(tmp_path / "b", tiny_model, config)
    process = start(run)
    wait_for(lambda: any(event.type == "metrics" for event in events_of(run)), process)
    run.request_pause()
    wait_for(lambda: any(event.type == "paused" for event in events_of(run)), process)
    run.clear_requests()
    wait_for(lambda: len(run.checkpoint_steps()) > 2, process)
    process.kill()
    process.communicate()
    run.update(attempt=2, resume=True)
    process = start(run)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output.decode()
    losses = series(events_of(run, 1), "loss/train") | series(events_of(run, 2), "loss/train")
    assert losses.keys() == expected.keys()
    assert all(abs(losses[step] - expected[step]) < 1e-6 for step in expected)
    assert min(series(events_of(run, 2), "loss/train")) > 50
