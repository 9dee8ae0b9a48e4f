"""bfloat16, keeping less in memory, and 4 bits: the same training in other numbers, or a clear refusal."""

import pytest
import torch

from lab.batching import pack
from lab.config import LoRAConfig, SFTConfig
from lab.model import adapt, load_model
from lab.training import make_accelerator, wants_bfloat16
from tests.tiny import make_sft_run, series, work_here

SEQUENCES = [[5, 80, 33, 7, 50, 41], [9, 9, 1], [30, 12, 77, 8]]
MASKS = [[False, True, False, True, True, True], [False, True, True], [True] * 4]
SHORT = SFTConfig(
    max_steps=6, batch_size=4, learning_rate=1e-2, eval_every=3, sample_every=6, checkpoint_every=3, device="cpu"
)


def like_a_new_process():
    """accelerate keeps the precision of a process's first Accelerator; a run has a process of its own."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(True)


@pytest.fixture(autouse=True)
def clean():
    like_a_new_process()
    yield
    like_a_new_process()


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory):
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("gpt2")
    config = GPT2Config(vocab_size=100, n_embd=32, n_layer=2, n_head=2, n_positions=64)
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


def gradients(folder, lora=None, precision="float32", less=False):
    """Scores and gradients of one batch, as a training run makes them."""
    model = load_model(folder).train()
    if lora:
        adapt(model, lora, 0)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.1, generator=torch.Generator().manual_seed(1))
    if less:
        model.keep_less()
    like_a_new_process()
    accelerator = make_accelerator(SFTConfig(device="cpu", precision=precision))
    prepared = accelerator.prepare(model)
    torch.manual_seed(0)
    scores = prepared(pack(SEQUENCES, MASKS))
    accelerator.backward(-scores.logp_L.sum())
    found = torch.cat([p.grad.flatten() for p in model.parameters() if p.requires_grad and p.grad is not None])
    return scores.logp_L.detach(), found


@pytest.mark.parametrize("lora", [None, LoRAConfig(r=4)])
@pytest.mark.parametrize("kind", ["ours", "gpt2"])
def test_keeping_less_gives_the_same_numbers(tiny_model, gpt2, kind, lora):
    folder = tiny_model if kind == "ours" else gpt2
    plain, less = gradients(folder, lora), gradients(folder, lora, less=True)
    assert torch.allclose(plain[0], less[0], atol=1e-6)
    assert torch.allclose(plain[1], less[1], atol=1e-5)


@pytest.mark.parametrize("lora", [None, LoRAConfig(r=4)])
def test_bfloat16_points_the_same_way(tiny_model, lora):
    exact, coarse = gradients(tiny_model, lora), gradients(tiny_model, lora, "bfloat16")
    assert coarse[0].dtype == torch.float32 and coarse[1].dtype == torch.float32
    assert not torch.equal(exact[0], coarse[0])
    assert torch.allclose(exact[0], coarse[0], atol=0.05)
    assert torch.cosine_similarity(exact[1], coarse[1], 0) > 0.98


def test_a_run_in_bfloat16_that_keeps_less_ends_like_one_in_float32(tiny_model, tmp_path):
    exact = series(work_here(make_sft_run(tmp_path / "a", tiny_model, SHORT)), "loss/train")
    like_a_new_process()
    config = SHORT.replace(precision="bfloat16", gradient_checkpointing=True)
    run = make_sft_run(tmp_path / "b", tiny_model, config)
    coarse = series(work_here(run), "loss/train")
    assert coarse[6] == pytest.approx(exact[6], abs=0.1) and coarse != exact
    assert load_model(run.model).head_weight.dtype == torch.float32


def test_auto_takes_float32_on_processors(monkeypatch):
    assert not wants_bfloat16(SFTConfig(), on_cpu=True)
    assert wants_bfloat16(SFTConfig(precision="bfloat16"), on_cpu=True)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    for capability, wanted in (((7, 5), False), ((8, 0), True), ((9, 0), True)):
        monkeypatch.setattr("torch.cuda.get_device_capability", lambda capability=capability: capability)
        assert wants_bfloat16(SFTConfig(), on_cpu=False) is wanted


def test_a_processor_that_imitates_bfloat16_is_said_to(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr("lab.worker.around.slow_at_bfloat16", lambda: True)
    events = work_here(make_sft_run(tmp_path, tiny_model, SHORT.replace(max_steps=1, precision="bfloat16")))
    assert any("imitates bfloat16" in event.fields.get("text", "") for event in events)


@pytest.mark.skipif(torch.cuda.is_available(), reason="is about machines without a GPU")
def test_4_bits_without_a_gpu_are_refused_with_what_to_do(tiny_model, tmp_path):
    from lab.worker import main

    run = make_sft_run(tmp_path, tiny_model, SHORT.replace(lora=LoRAConfig(quantize="4bit")))
    assert main(str(run.path)) == 1
    from lab.events import read_events

    assert "needs an NVIDIA GPU" in read_events(run.events)[0][-1].fields["error"]
