"""Networks that are not ours run through transformers, and train to the same numbers."""

import json
import shutil

import pytest
import torch

from lab.adapters import merged_adapters
from lab.batching import pack
from lab.config import LoRAConfig, SamplingConfig, SFTConfig
from lab.errors import ConfigError, ModelError
from lab.generate import complete
from lab.model import adapt, copy_tokenizer, load_model, save_adapted, save_model
from lab.transformers_model import TransformersModel
from tests.tiny import make_sft_run, series, work_here

SEQUENCES = [[5, 80, 33, 7, 50, 41], [9, 9, 1], [30, 12, 77, 8]]
MASKS = [[False, True, False, True, True, True], [False, True, True], [True] * 4]


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory):
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=100, n_embd=32, n_layer=2, n_head=2, n_positions=64, bos_token_id=0, eos_token_id=1,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("gpt2")
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


def test_the_loss_is_over_the_masked_tokens_of_each_sequence_alone(gpt2):
    model = load_model(gpt2)
    assert isinstance(model, TransformersModel)
    assert (model.context_length, model.end_ids) == (64, (1,))
    expected = []
    for ids, mask in zip(SEQUENCES, MASKS):
        logp = model.logits(torch.tensor([ids]))[0, :-1].log_softmax(-1)
        expected.append(logp.gather(1, torch.tensor(ids[1:])[:, None])[torch.tensor(mask[1:]), 0])
    scores = model(pack(SEQUENCES, MASKS))
    assert torch.allclose(scores.logp_L, torch.cat(expected), atol=1e-5)
    scores.logp_L.sum().backward()
    assert model.network.transformer.wpe.weight.grad.abs().sum() > 0


def test_saved_and_loaded_with_and_without_adapters(gpt2, tmp_path):
    model, batch = load_model(gpt2), pack(SEQUENCES)
    save_model(model, tmp_path / "copy")
    assert torch.equal(load_model(tmp_path / "copy")(batch).logp_L, model(batch).logp_L)
    adapt(model, LoRAConfig(r=2), seed=0)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(0, 0.1)
    save_adapted(model, tmp_path / "adapter", gpt2, LoRAConfig(r=2))
    merged = load_model(tmp_path / "adapter")
    assert torch.allclose(merged(batch).logp_L, model(batch).logp_L, atol=1e-5)
    with merged_adapters(model):
        written = complete(model, [[5, 6]], SamplingConfig(temperature=0, max_new_tokens=6), end_ids=())
    assert (
        written[0].ids == complete(merged, [[5, 6]], SamplingConfig(temperature=0, max_new_tokens=6), end_ids=())[0].ids
    )


@pytest.mark.parametrize("lora", [None, LoRAConfig(r=4)])
def test_a_run_of_another_architecture_with_the_default_chat_template(tiny_model, tmp_path, lora):
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    shape = {"n_embd": 32, "n_layer": 1, "n_head": 2, "n_positions": 64}
    GPT2LMHeadModel(GPT2Config(vocab_size=400, bos_token_id=0, eos_token_id=4, **shape)).save_pretrained(
        tmp_path / "model"
    )
    copy_tokenizer(tiny_model, tmp_path / "model")
    config_file = tmp_path / "model" / "tokenizer_config.json"
    settings = json.loads(config_file.read_text())
    del settings["chat_template"]
    config_file.write_text(json.dumps(settings))
    config = SFTConfig(
        max_steps=4, batch_size=4, learning_rate=1e-2, eval_every=2, sample_every=4, device="cpu", lora=lora, seed=1
    )
    run = make_sft_run(tmp_path / "runs", tmp_path / "model", config)
    events = work_here(run)
    loss = series(events, "loss/train")
    assert loss[4] < loss[1]
    assert events[-1].type == "finished"
    assert isinstance(load_model(run.model), TransformersModel)
    assert isinstance(load_model(run.checkpoint(4) / "model"), TransformersModel)
    run.update(attempt=2, resume=True)
    shutil.rmtree(run.checkpoint(4))
    assert [event.type for event in work_here(run)][-1] == "finished"


def test_what_transformers_cannot_load_is_said(gpt2, tmp_path):
    with pytest.raises(ConfigError, match="do not fit"):
        adapt(load_model(gpt2), LoRAConfig(target_modules=("nothing",)), 0)
    (tmp_path / "config.json").write_text('{"model_type": "newer_than_this"}')
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match="transformers cannot load"):
        load_model(tmp_path)
