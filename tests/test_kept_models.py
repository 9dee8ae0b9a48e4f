"""What a person does with models: names, notes, deletion that spares what is needed, and folders to take away."""

import json

import pytest

from lab.errors import ModelError
from lab.journal import Journal
from lab.kept_models import KeptModels
from lab.model_card import card
from lab.model_keeping import LONGEST_NAME
from lab.model_parts import layer_count, parameters_by_part, part_of, size_on_disk
from lab.models import BUNDLED
from tests.parts import make_run, write_model


@pytest.fixture
def models(tmp_path):
    write_model(tmp_path / "bundled" / "base")
    (tmp_path / "runs").mkdir()
    return KeptModels(tmp_path / "runs", Journal(tmp_path / "journal.jsonl"), lambda id: None, tmp_path / "bundled")


def finished(models, parent="bundled:base", name="", adapter_of=None):
    run = make_run(models._runs, name=name)
    run.update(model=parent)
    write_model(run.model)
    if adapter_of is not None:
        (run.model / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(adapter_of)}))
        (run.model / "model.safetensors").rename(run.model / "adapter_model.safetensors")
    write_model(run.checkpoint(5) / "model")
    return run


# --- parts -------------------------------------------------------------------------------------------------------


def test_the_parts_of_the_bundled_base_add_up():
    folder = BUNDLED / "base"
    parts = {part.name: part.parameters for part in parameters_by_part(folder)}
    config = json.loads((folder / "config.json").read_text())
    assert parts["embeddings"] == config["vocab_size"] * config["hidden_size"]
    mlp = 3 * config["hidden_size"] * config["intermediate_size"] * config["num_hidden_layers"]
    assert parts["MLP"] == mlp and {"attention", "norms"} <= set(parts) and "other" not in parts
    assert layer_count(folder) == config["num_hidden_layers"]
    assert size_on_disk(folder) > (folder / "model.safetensors").stat().st_size


@pytest.mark.parametrize(
    ("tensor", "part"),
    [
        ("model.layers.0.self_attn.q_proj.weight", "attention"),
        ("transformer.h.3.attn.c_proj.weight", "attention"),
        ("transformer.h.3.mlp.c_fc.weight", "MLP"),
        ("transformer.wte.weight", "embeddings"),
        ("model.layers.1.post_attention_layernorm.weight", "norms"),
        ("transformer.h.0.ln_1.bias", "norms"),
        ("model.layers.1.mlp.experts.3.down_proj.weight", "experts"),
        ("backbone.layers.0.mixer.in_proj.weight", "state space"),
        ("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", "adapters"),
        ("lm_head.weight", "output head"),
        ("something", "other"),
    ],
)
def test_parts_by_the_names_that_families_use(tensor, part):
    assert part_of(tensor) == part


# --- names and notes ---------------------------------------------------------------------------------------------


def test_a_name_and_a_note_stay(models, tmp_path):
    write_model(tmp_path / "mine")
    reference = models.add(tmp_path / "mine").reference
    models.rename(reference, "  my llama ")
    models.set_note(reference, "from the talk")
    again = KeptModels(tmp_path / "runs", Journal(tmp_path / "journal.jsonl"), lambda id: None, tmp_path / "bundled")
    assert again.info(reference).name == "my llama" and again.note(reference) == "from the talk"
    models.rename(reference, "")
    assert models.info(reference).name == "mine" and models.note(reference) == "from the talk"


def test_the_result_of_a_run_has_the_runs_name(models):
    run, named = finished(models), []
    models.name_run = lambda *given: named.append(given)
    models.rename(f"run:{run.id}", "better")
    models.rename(f"run:{run.id}@5", "half way")
    assert named == [(run.id, "better")] and models.info(f"run:{run.id}@5").name == "half way"


def test_what_cannot_be_named(models):
    for reference, name, words in [
        ("bundled:base", "x", "keep their names"),
        ("run:no", "x", "no run"),
        ("bundled:base", "x" * (LONGEST_NAME + 1), "characters"),
    ]:
        with pytest.raises(ModelError, match=words):
            models.rename(reference, name)


# --- deletion ----------------------------------------------------------------------------------------------------


def test_a_result_and_a_checkpoint_are_deleted_and_the_run_stays(models):
    run = finished(models)
    models.remove(f"run:{run.id}@5")
    assert run.checkpoint_steps() == [] and run.model.is_dir()
    models.remove(f"run:{run.id}")
    assert not run.model.exists() and run.run_file.is_file() and not list(run.path.glob(".*"))
    with pytest.raises(ModelError, match="no result"):
        models.remove(f"run:{run.id}")


def test_what_a_run_stands_on_is_not_deleted(models):
    first = finished(models)
    second = finished(models, parent=f"run:{first.id}", name="child")
    third = finished(models, parent="elsewhere", adapter_of=first.checkpoint(5) / "model")
    assert models.needed_by(f"run:{first.id}") == [second.id]
    assert models.needed_by(f"run:{first.id}@5") == [third.id]
    for reference in (f"run:{first.id}", f"run:{first.id}@5"):
        with pytest.raises(ModelError, match="is needed by"):
            models.remove(reference)
    assert first.model.is_dir() and first.checkpoint_steps() == [5]


def test_a_reward_model_that_a_run_used_is_needed_too(models):
    judge, user = finished(models), finished(models)
    config = json.loads(user.config_file.read_text())
    user.config_file.write_text(json.dumps(config | {"rewards": [{"model": f"run:{judge.id}"}]}))
    assert models.needed_by(f"run:{judge.id}") == [user.id]


def test_a_run_at_work_keeps_what_it_has(models):
    run = finished(models)
    models.is_active = lambda run_id: run_id == run.id
    with pytest.raises(ModelError, match="not over yet"):
        models.remove(f"run:{run.id}@5")


@pytest.mark.parametrize("reference", ["bundled:base", "org/name", "/etc", "run:../x", "run:"])
def test_nothing_else_is_deleted(models, reference, tmp_path):
    with pytest.raises(ModelError):
        models.remove(reference)
    assert (tmp_path / "bundled" / "base").is_dir()


# --- taking away -------------------------------------------------------------------------------------------------


def test_a_copy_with_its_card(models, tmp_path):
    run = finished(models, name="pirate | talk")
    run.update(rows={"train": 90, "heldout": 10}, versions={"torch": "2.13"})
    told = []
    models.set_note(f"run:{run.id}", "for the class")
    target = models.export(f"run:{run.id}", tmp_path / "out" / "pirate", tell=told.append)
    assert {"README.md", "config.json", "model.safetensors"} <= {file.name for file in target.iterdir()}
    text = (target / "README.md").read_text()
    assert "# pirate \\| talk" in text and "for the class" in text and "90 rows to learn from" in text
    assert "max_steps" in text and "(`bundled:base`)" in text and "torch 2.13" in text and told
    assert list(tmp_path.glob("out/.*")) == []


def test_a_folder_with_something_in_it_is_left_alone(models, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").write_text("mine")
    with pytest.raises(ModelError, match="not empty"):
        models.export("bundled:base", tmp_path / "full")
    (tmp_path / "empty").mkdir()
    assert (models.export("bundled:base", tmp_path / "empty") / "config.json").is_file()


def test_an_export_that_fails_leaves_nothing(models, tmp_path, monkeypatch):
    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(ModelError, match="No space left"):
        models.export("bundled:base", tmp_path / "out" / "x")
    assert list((tmp_path / "out").iterdir()) == []


def test_an_adapter_goes_along_as_it_is(models, tmp_path):
    run = finished(models, adapter_of=tmp_path / "bundled" / "base")
    target = models.export(f"run:{run.id}", tmp_path / "adapter", merge=False)
    assert (target / "adapter_model.safetensors").is_file() and "an adapter for" in (target / "README.md").read_text()


def test_a_card_of_a_model_that_no_run_made(models):
    text = card([models.info("bundled:base")], None, merged=True)
    assert text.startswith("---\n") and "No run of this workspace made it." in text and "## Recipe" not in text


@pytest.mark.slow
def test_an_adapter_is_merged_into_whole_weights(models, tmp_path):
    """The exported folder, loaded alone, computes what the adapter on its parent computes."""
    import torch

    from lab.config import LoRAConfig
    from lab.model import adapt, load_model, save_adapted

    model = load_model(BUNDLED / "base")
    adapt(model, LoRAConfig(r=4), seed=1)
    for value in (value for value in model.parameters() if value.requires_grad):
        torch.nn.init.normal_(value, std=0.02)
    run = make_run(models._runs)
    save_adapted(model, run.model, BUNDLED / "base", LoRAConfig(r=4))
    told = []
    target = models.export(f"run:{run.id}", tmp_path / "merged", tell=told.append)
    before, after = load_model(run.model).state_dict(), load_model(target).state_dict()
    base = load_model(BUNDLED / "base").state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
    assert any(not torch.equal(base[name], after[name]) for name in base)
    assert not (target / "adapter_config.json").exists() and (target / "tokenizer.json").is_file()
    assert "Writing" in told


@pytest.mark.slow
def test_a_merge_that_cannot_be_says_why(models, tmp_path):
    run = finished(models, adapter_of=tmp_path / "bundled" / "base")
    with pytest.raises(ModelError, match="could not be merged"):
        models.export(f"run:{run.id}", tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_a_broken_file_is_said(tmp_path):
    write_model(tmp_path / "m")
    (tmp_path / "m" / "model.safetensors").write_bytes(b"\xff" * 40)
    with pytest.raises(ModelError, match="not a whole safetensors"):
        parameters_by_part(tmp_path / "m")
