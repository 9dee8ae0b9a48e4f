"""The SFT page: against TRL, by hand, and by what it does to a model."""

import math

import pytest
import torch

from lab.algorithms.sft import reply_loss
from lab.batching import encode_conversations, pack_examples
from lab.chat_template import DEFAULT_TEMPLATE, ChatTemplate
from lab.config import LoRAConfig, OptimizerConfig, SFTConfig
from lab.errors import DataError, ModelError, RunError
from lab.events import read_events
from lab.model import load_model, save_model
from lab.run_dir import read_jsonl, write_jsonl
from tests.tiny import CONVERSATIONS, make_sft_run, series, with_template, work_here

QUICK = SFTConfig(
    max_steps=8,
    batch_size=4,
    learning_rate=3e-3,
    eval_every=4,
    sample_every=0,
    checkpoint_every=3,
    device="cpu",
    optimizer=OptimizerConfig(warmup_steps=2),
)


def test_the_loss_by_hand():
    # two parts of one batch of 4 tokens: −(−1 − 2)/4 + −(−3 − 6)/4 = 3
    parts = [torch.tensor([-1.0, -2.0]), torch.tensor([-3.0, -6.0])]
    assert sum(reply_loss(part, 4) for part in parts).item() == 3.0


@pytest.mark.slow
@pytest.mark.parametrize("packing", [False, True])
def test_loss_and_gradient_equal_those_of_trl(tiny_model, tmp_path, packing):
    import datasets
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast
    from trl import SFTConfig as TRLConfig
    from trl import SFTTrainer

    datasets.disable_progress_bars()
    settings = {"packing": True, "max_length": 100} if packing else {}
    trainer = SFTTrainer(
        model=LlamaForCausalLM.from_pretrained(tiny_model, dtype=torch.float32),
        args=TRLConfig(
            output_dir=str(tmp_path),
            bf16=False,
            gradient_checkpointing=False,
            assistant_only_loss=True,
            use_cpu=True,
            report_to="none",
            **settings,
        ),
        train_dataset=datasets.Dataset.from_list(CONVERSATIONS),
        processing_class=PreTrainedTokenizerFast.from_pretrained(tiny_model),
    )
    trainer.model.train()
    rows = [trainer.train_dataset[n] for n in range(len(trainer.train_dataset))]
    assert len(rows) < len(CONVERSATIONS) if packing else len(rows) == len(CONVERSATIONS)
    expected = trainer.compute_loss(trainer.model, trainer.data_collator(rows), num_items_in_batch=None)
    expected.backward()

    model = load_model(tiny_model)
    examples = encode_conversations(CONVERSATIONS, ChatTemplate.from_folder(tiny_model), 256)
    batch = pack_examples(examples)
    loss = reply_loss(model(batch).logp_L, batch.losses)
    loss.backward()
    assert math.isclose(loss.item(), expected.item(), rel_tol=1e-5)
    theirs = dict(trainer.model.named_parameters())
    for name, parameter in model.named_parameters():
        assert (parameter.grad - theirs[name].grad).norm() < 1e-5 * theirs[name].grad.norm(), name


@pytest.mark.parametrize("lora", [None, LoRAConfig(r=8)])
def test_it_learns_eight_examples_by_heart(tiny_model, tmp_path, lora):
    model = load_model(tiny_model)
    model.model.embed_tokens.weight.data *= 20  # so that adapters alone can make a token probable
    save_model(model, tmp_path / "model", tokenizer_from=tiny_model)
    config = QUICK.replace(max_steps=70, batch_size=8, learning_rate=2e-2, lora=lora, eval_every=0, checkpoint_every=0)
    events = work_here(make_sft_run(tmp_path, tmp_path / "model", config))
    loss, accuracy = series(events, "loss/train"), series(events, "accuracy/train")
    assert loss[1] > 5 > 0.1 > loss[70]
    assert accuracy[70] == 1.0
    assert events[-1].type == "finished"


def test_the_result_answers_what_it_learned(tiny_model, tmp_path):
    config = QUICK.replace(max_steps=60, batch_size=8, learning_rate=1e-2, sample_every=60)
    run = make_sft_run(tmp_path, tiny_model, config.replace(sample_prompts=("What is 3 + 4?", "What is 5 + 6?")))
    samples = [event.fields for event in work_here(run) if event.type == "sample"]
    assert [sample["step"] for sample in samples] == [0, 0, 60, 60]
    assert [sample["text"] for sample in samples[2:]] == ["It is 7.", "It is 11. Good! Good!"]
    template = ChatTemplate.from_folder(run.model)
    encoded = template.encode(CONVERSATIONS[3]["messages"])
    logits = load_model(run.model).logits(torch.tensor([encoded.ids]))[0]
    learned = [n for n, learn in enumerate(encoded.loss_mask) if learn]
    assert all(logits[n - 1].argmax() == encoded.ids[n] for n in learned)


def test_the_same_seed_gives_the_same_run(tiny_model, tmp_path):
    runs = [work_here(make_sft_run(tmp_path, tiny_model, QUICK.replace(seed=seed))) for seed in (1, 1, 2)]
    first, again, other = (series(events, "loss/train") for events in runs)
    assert first == again
    assert first != other


@pytest.mark.parametrize("lora", [None, LoRAConfig(r=4, dropout=0.2)])
def test_stopped_and_continued_equals_unbroken(tiny_model, tmp_path, lora):
    config = QUICK.replace(lora=lora)
    unbroken = work_here(make_sft_run(tmp_path, tiny_model, config))
    run = make_sft_run(tmp_path, tiny_model, config)
    stopped = StopAt(run, 5)
    before = stopped.work()
    assert before[-1].type == "stopped"
    assert (run.model / ("adapter_model.safetensors" if lora else "model.safetensors")).is_file()
    run.clear_requests()
    run.update(resume=True, attempt=2)
    after = work_here(run)
    for name in ("loss/train", "loss/heldout", "grad_norm", "learning_rate", "tokens"):
        assert series(before, name) | series(after, name) == series(unbroken, name), name
    assert min(series(after, "loss/train")) == 6


def test_parts_of_a_batch_give_the_step_of_the_whole(tiny_model, tmp_path):
    runs = [
        work_here(make_sft_run(tmp_path, tiny_model, QUICK.replace(gradient_accumulation=parts))) for parts in (1, 3)
    ]
    whole, cut = (series(events, "loss/train") for events in runs)
    assert all(math.isclose(whole[step], cut[step], rel_tol=1e-5) for step in whole)


def test_a_loss_that_is_not_a_number_is_reported_and_ends_the_run(tiny_model, tmp_path, monkeypatch):
    from lab.transformer import Transformer

    forward = Transformer.forward
    calls = []

    def breaks_later(self, batch):
        calls.append(1)
        scores = forward(self, batch)
        return scores._replace(logp_L=scores.logp_L * (math.nan if len(calls) > 5 else 1))

    monkeypatch.setattr(Transformer, "forward", breaks_later)
    run = make_sft_run(tmp_path, tiny_model, QUICK.replace(eval_every=0))
    with pytest.raises(RunError, match="loss is not a finite number at step 6") as raised:
        work_here(run)
    assert "Lower the learning rate" in raised.value.__notes__[0]
    assert math.isnan(series(read_events(run.events)[0], "loss/train")[6])
    assert run.checkpoint_steps() == [3]


def test_replies_beyond_the_cut_are_said_and_an_empty_set_is_refused(tiny_model, tmp_path):
    run = make_sft_run(tmp_path, tiny_model, QUICK.replace(max_length=8))
    with pytest.raises(
        DataError, match=r"None of the 8 conversations has a reply within its first 8 tokens.*max_length"
    ):
        work_here(run)


class StopAt:
    """Asks a run to stop when it reports a step, as a person would by the file."""

    def __init__(self, run, step):
        self.run, self.step = run, step

    def work(self):
        from lab.events import FileSink, RunReporter
        from lab.worker import work

        sink = FileSink(self.run.events, 1)

        def watching(type, fields):
            sink(type, fields)
            if type == "metrics" and fields["step"] == self.step:
                self.run.request_stop()

        work(self.run, RunReporter(watching))
        sink.close()
        return read_events(self.run.events)[0]


REFUSES = "{{ raise_exception('No system messages here.') if messages[0].role == 'system' }}" + DEFAULT_TEMPLATE


def test_conversations_that_the_template_refuses_are_left_out_and_said(tiny_model, tmp_path):
    folder = with_template(tiny_model, tmp_path / "model", REFUSES)
    config = SFTConfig(max_steps=2, batch_size=2, eval_every=1, sample_every=1, device="cpu")
    run = make_sft_run(tmp_path / "some", folder, config)
    rows = list(read_jsonl(run.data / "train.jsonl"))
    system = {"role": "system", "content": "Be brief."}
    rows = [{"messages": [system, *row["messages"]]} if n < 3 else row for n, row in enumerate(rows)]
    write_jsonl(run.data / "train.jsonl", rows)
    write_jsonl(run.data / "heldout.jsonl", rows[2:4])
    events = work_here(run)
    said = [event.fields["text"] for event in events if event.type == "message"]
    assert any("3 of 8 conversations are left out" in text and "No system messages here" in text for text in said)
    assert events[-1].type == "finished"
    run = make_sft_run(tmp_path / "none", folder, config)
    write_jsonl(run.data / "train.jsonl", rows[:3])
    with pytest.raises(DataError, match=r"takes none of the 3 conversations.*No system messages"):
        work_here(run)


def test_a_template_without_end_ends_the_run(tiny_model, tmp_path, monkeypatch):
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    run = make_sft_run(tmp_path / "run", with_template(tiny_model, tmp_path / "model", endless), SFTConfig(max_steps=2))
    monkeypatch.setattr("lab.template_sandbox.IsolatedTemplate.__init__.__defaults__", (0.3,))
    with pytest.raises(ModelError, match="did not finish within"):
        work_here(run)
