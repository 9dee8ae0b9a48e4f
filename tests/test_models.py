"""References to models, what their folders say, lineage, and clear words for what does not work."""

import json

import pytest

from lab.errors import ModelError
from lab.hub import download, find_downloaded
from lab.journal import Journal
from lab.kept_models import KeptModels as Models
from lab.model_folder import weights
from tests.parts import make_run, write_model, write_weights


@pytest.fixture
def models(tmp_path):
    write_model(tmp_path / "bundled" / "base", chat_template="x")
    write_model(tmp_path / "bundled" / "sft")
    (tmp_path / "bundled" / "sft" / "chat_template.jinja").write_text("{{ messages }}")
    (tmp_path / "bundled" / "base" / "chat_template.jinja").write_text("{{ messages }}")
    (tmp_path / "runs").mkdir()
    return Models(tmp_path / "runs", Journal(tmp_path / "journal.jsonl"), lambda id: None, tmp_path / "bundled")


def finished(models, parent, name="", algorithm=None, steps=(5,)):
    """A run with a result and checkpoints."""
    run = make_run(models._runs, name=name)
    run.update(model=parent, **({"algorithm": algorithm} if algorithm else {}))
    write_model(run.model)
    for step in steps:
        write_model(run.checkpoint(step) / "model")
    return run


def test_bundled_models_come_first_and_base_before_them(models):
    run = finished(models, "bundled:base", "my run", steps=(5, 10))
    found = [(info.reference, info.kind, info.name) for info in models.list()]
    assert found == [
        ("bundled:base", "bundled", "base"),
        ("bundled:sft", "bundled", "sft"),
        (f"run:{run.id}", "run", "my run"),
        (f"run:{run.id}@10", "checkpoint", "my run, step 10"),
        (f"run:{run.id}@5", "checkpoint", "my run, step 5"),
    ]


def test_what_a_folder_says(models, tmp_path):
    write_model(tmp_path / "m", shape=(10, 7), dtype="F16", dtype_="", tie_word_embeddings=True)
    write_weights(tmp_path / "m" / "model-2.safetensors", (3,), "F32")
    info = models.info(str(tmp_path / "m"))
    assert (info.kind, info.name, info.parameters) == ("folder", "m", 73)
    assert (info.context_length, info.architecture, info.vocab_size) == (512, "LlamaForCausalLM", 300)
    assert (info.dtype, info.parent, info.is_chat) == ("float16", None, False)
    assert weights(tmp_path / "m").bytes == sum(f.stat().st_size for f in (tmp_path / "m").glob("*.safetensors"))
    write_model(tmp_path / "half", dtype="F16", max_position_embeddings=None, n_positions=128)
    (tmp_path / "half" / "config.json").write_text(
        json.dumps(json.loads((tmp_path / "half" / "config.json").read_text()) | {"dtype": "float32"})
    )
    info = models.info(str(tmp_path / "half"))
    assert (info.dtype, info.context_length) == ("float32", 128)


def test_a_model_that_was_trained_to_answer_is_a_chat_model(models):
    assert not models.info("bundled:base").is_chat  # its template is for those who tune it
    assert models.info("bundled:sft").is_chat
    tuned = finished(models, "bundled:base")
    assert models.info(f"run:{tuned.id}").is_chat and models.info(f"run:{tuned.id}@5").is_chat
    trained = finished(models, "", algorithm="pretrain")
    assert not models.info(f"run:{trained.id}").is_chat


def test_lineage_goes_back_to_the_root(models):
    first = finished(models, "bundled:base")
    second = finished(models, f"run:{first.id}@5")
    third = finished(models, f"run:{second.id}")
    line = [info.reference for info in models.lineage(f"run:{third.id}@5")]
    assert line == ["bundled:base", f"run:{first.id}@5", f"run:{second.id}", f"run:{third.id}@5"]
    first.run_file.unlink()  # its folder was deleted: the line goes back as far as it can
    assert [info.reference for info in models.lineage(f"run:{second.id}")] == [f"run:{second.id}"]
    with pytest.raises(ModelError):
        models.lineage(f"run:{first.id}")
    second.update(model=f"run:{third.id}")
    third.update(model=f"run:{second.id}")
    assert len(models.lineage(f"run:{third.id}")) == 2  # a circle ends


def adapter(models, run, base, shape=(2, 3)):
    run.model.mkdir(exist_ok=True)
    (run.model / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(base)}))
    write_weights(run.model / "adapter_model.safetensors", shape)


def test_adapters_stand_on_their_base(models):
    lower = make_run(models._runs)
    adapter(models, lower, models.resolve("bundled:base"))
    upper = make_run(models._runs)
    adapter(models, upper, lower.model, (5,))
    info = models.info(f"run:{upper.id}")
    assert info.parameters == 32 + 6 + 5 and info.vocab_size == 300 and info.architecture == "LlamaForCausalLM"
    assert [i.reference for i in models.lineage(f"run:{upper.id}")] == [
        "bundled:base",
        f"run:{lower.id}",
        f"run:{upper.id}",
    ]
    assert models.reference_of(str(lower.model)) == f"run:{lower.id}"
    checkpoint = upper.checkpoint(7) / "model"
    write_model(checkpoint)
    assert models.reference_of(str(checkpoint)) == f"run:{upper.id}@7"


def test_every_reference_that_does_not_work_says_why(models, tmp_path):
    run = finished(models, "bundled:base", steps=(5,))
    unfinished = make_run(models._runs)
    write_model(unfinished.checkpoint(3) / "model")
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    (pickled / "config.json").write_text("{}")
    (pickled / "pytorch_model.bin").write_bytes(b"x")
    cut = write_model(tmp_path / "cut")
    (cut / "model.safetensors").write_bytes(b"\xff" * 20)
    part = write_model(tmp_path / "part")
    (part / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "model-00002.safetensors"}}))
    (tmp_path / "empty").mkdir()
    for reference, words in [
        ("", "bundled:base"),
        ("bundled:nowhere", "bundled:base, bundled:sft"),
        ("bundled:../bundled/base", "no bundled model"),
        ("run:nowhere", "no run"),
        ("run:../../x", "no run"),
        (f"run:{run.id}@7", "It has: 5"),
        (f"run:{run.id}@x", "no checkpoint"),
        (f"run:{unfinished.id}", f"run:{unfinished.id}@3"),
        ("/no/such/folder", "no folder"),
        ("nonsense", "no folder"),
        ("org/never-downloaded", "Add it first"),
        (str(tmp_path / "empty"), "no config.json"),
        (str(pickled), "safetensors"),
        (str(cut), "not a whole safetensors file"),
        (str(part), "model-00002.safetensors is missing"),
    ]:
        with pytest.raises(ModelError) as caught:
            models.info(reference)
        assert words in str(caught.value), reference


def test_a_broken_run_is_left_out_of_the_list(models):
    run = finished(models, "bundled:base", steps=())
    (run.model / "model.safetensors").write_bytes(b"")
    assert [info.reference for info in models.list()] == ["bundled:base", "bundled:sft"]


def test_added_folders_are_remembered_and_can_be_forgotten(models, tmp_path, monkeypatch):
    folder = write_model(tmp_path / "elsewhere" / "mine")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert models.add("mine").reference == str(folder)
    models.add(folder)
    again = Models(models._runs, Journal(tmp_path / "journal.jsonl"), None, tmp_path / "bundled")
    assert [info.reference for info in again.list()].count(str(folder)) == 1
    again.remove(str(folder))
    assert str(folder) not in [info.reference for info in again.list()] and folder.is_dir()
    with pytest.raises(ModelError):
        again.remove(str(folder))
    with pytest.raises(ModelError):
        models.add(tmp_path)


def test_the_hub_offline_says_so():
    with pytest.raises(ModelError, match="not on this machine"):
        find_downloaded("org/never-downloaded")
    with pytest.raises(ModelError, match="could not be downloaded"):
        download("org/never-downloaded")


def test_rows_for_sql(models):
    rows = models.rows()
    assert rows[0][0] == "bundled:base" and all(isinstance(row[3], str) for row in rows)
