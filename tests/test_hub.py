"""Downloads from a small hub of our own: progress, resuming, and every refusal in words."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lab.errors import ModelError
from lab.model_folder import known_kinds, require_causal
from tests.small_hub import COMMIT, SmallHub

ROOT = Path(__file__).resolve().parent.parent
LARGE = 600_000

CHILD = """
import json, sys
from pathlib import Path
from huggingface_hub import constants
constants.DOWNLOAD_CHUNK_SIZE = 1 << 16
from lab.errors import ModelError
from lab.journal import Journal
from lab.models import Models

class Cancelled(Exception):
    pass

models = Models(Path(sys.argv[1]) / "runs", Journal(Path(sys.argv[1]) / "journal.jsonl"))
answers = []
for hub_id, stop_after in json.loads(sys.argv[2]):
    seen = []
    def watch(download):
        seen.append((download.file, download.done, download.total))
        if stop_after and download.done > stop_after:
            raise Cancelled
    try:
        answer = str(models.add(hub_id, watch).folder)
    except (ModelError, Cancelled) as error:
        answer = f"{type(error).__name__}: {error}"
    answers.append([answer, seen])
print(json.dumps(answers))
"""
"""huggingface_hub reads HF_ENDPOINT when it is imported, so every scenario is asked in a process of its own."""


@pytest.fixture
def hub(tiny_model, tmp_path):
    good = tmp_path / "hub" / "good"
    shutil.copytree(tiny_model, good)
    weights = (good / "model.safetensors").read_bytes()
    (good / "model.safetensors").write_bytes(weights + b" " * max(0, LARGE - len(weights)))
    (good / "consolidated.safetensors").write_bytes(b"the same again")
    (good / "modeling_own.py").write_text("print('never fetched')")
    (good / "pytorch_model.bin").write_bytes(b"a pickle")
    folders = {"lab/good": good, "lab/gated": good}
    for name, config in (
        ("bert", {"model_type": "bert", "architectures": ["BertForMaskedLM"]}),
        ("own-code", {"model_type": "own", "auto_map": {"AutoModelForCausalLM": "modeling_own.OwnForCausalLM"}}),
        ("pickled", {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}),
    ):
        folder = tmp_path / "hub" / name
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(config))
        (folder / ("pytorch_model.bin" if name == "pickled" else "model.safetensors")).write_bytes(b"x")
        folders[f"lab/{name}"] = folder
    (tmp_path / "hub" / "data").mkdir()
    folders["lab/data"] = tmp_path / "hub" / "data"
    serving = SmallHub(folders)
    serving.gated = {"lab/gated"}
    yield serving
    serving.close()


def ask(hub_url, tmp_path, *scenarios, **environment):
    """What `models.add` answers to (hub id, bytes after which the person cancels)."""
    (tmp_path / "lab").mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path / "lab"), json.dumps(scenarios)],
        cwd=ROOT,
        env=os.environ
        | {"HF_ENDPOINT": hub_url, "HF_HOME": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
        | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_download_tells_how_far_it_is_can_be_cancelled_and_goes_on(hub, tmp_path):
    hub.breaks = {"tokenizer.json": 3000}
    (cancelled, first), (folder, second) = ask(hub.url, tmp_path, ("lab/good", 300_000), ("lab/good", 0))
    assert cancelled == "Cancelled: "
    done, total = [n for _, n, _ in first], {n for _, _, n in first}
    assert done == sorted(done) and 300_000 < done[-1] < 500_000 and total == {second[-1][2]}
    assert second[-1][1] == second[-1][2] > LARGE
    ranges = [asked[2] for asked in hub.asked if asked[1].endswith("model.safetensors") and asked[0] == "GET"]
    assert ranges[0] == "" and int(ranges[1].removeprefix("bytes=").partition("-")[0]) > 200_000
    assert sorted(path.name for path in Path(folder).iterdir()) == sorted(
        path.name for path in (tmp_path / "hub" / "good").iterdir() if path.suffix in (".json", ".safetensors")
        if path.name != "consolidated.safetensors"
    )  # fmt: skip
    got = (Path(folder) / "model.safetensors").read_bytes()
    assert got == (tmp_path / "hub" / "good" / "model.safetensors").read_bytes()
    assert Path(folder).name == COMMIT
    hub.asked.clear()
    ((again, _),) = ask(hub.url, tmp_path, ("lab/good", 0))
    assert again == folder and not any(asked[0] == "GET" and "resolve" in asked[1] for asked in hub.asked)


def test_a_file_that_arrives_damaged_is_thrown_away(hub, tmp_path):
    hub.damages = {"model.safetensors"}
    (damaged, _), (_, second) = ask(hub.url, tmp_path, ("lab/good", 0), ("lab/good", 0))
    assert "arrived damaged" in damaged and second[-1][1] == second[-1][2]


def test_what_cannot_be_used_is_said_before_the_weights_are_fetched(hub, tmp_path):
    said = ask(hub.url, tmp_path, *((f"lab/{n}", 0) for n in ("gated", "bert", "own-code", "pickled", "data", "none")))
    words = ["accept its terms", "BertForMaskedLM: not a causal", "code of its own", "no safetensors", "no config.json"]
    for (answer, _), expected in zip(said, [*words, "There is no model lab/none on the Hub"], strict=True):
        assert answer.startswith("ModelError") and expected in answer
    assert not any(asked[1].endswith((".safetensors", ".bin", ".py")) for asked in hub.asked)


def test_without_the_network_it_is_said_and_what_is_here_still_works(hub, tmp_path):
    ((folder, _),) = ask(hub.url, tmp_path, ("lab/good", 0))
    nowhere = "http://127.0.0.1:9"
    ((unreached, _),) = ask(nowhere, tmp_path, ("lab/other", 0))
    assert "the Hub cannot be reached" in unreached and "Is this machine online?" in unreached
    ((offline, _),) = ask(nowhere, tmp_path, ("lab/other", 0), HF_HUB_OFFLINE="1")
    assert "HF_HUB_OFFLINE is set" in offline
    code = f"from lab.hub import find_downloaded; print(str(find_downloaded('lab/good')) == {folder!r})"
    environment = os.environ | {"HF_ENDPOINT": nowhere, "HF_HOME": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "True", done.stderr


def test_a_disk_without_room_is_said_first(hub, tmp_path, monkeypatch):
    from lab import hub as lab_hub

    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 1 << 29}))
    with pytest.raises(ModelError, match=r"takes 3\.0 GB, and 0\.5 GB are free"):
        lab_hub._require_room("lab/good", 3_000_000_000, tmp_path)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"model_type": "llama", "architectures": ["LlamaForCausalLM"]}, ""),
        ({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}, ""),
        ({"model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"], "auto_map": {"A": "b"}}, ""),
        ({"model_type": "llama"}, ""),
        ({"model_type": "t5", "architectures": ["T5ForConditionalGeneration"], "is_encoder_decoder": True}, "T5"),
        ({"model_type": "vit", "architectures": ["ViTForImageClassification"]}, "not a causal language model"),
        ({"model_type": "from_2031", "auto_map": {"AutoConfig": "x.Y"}}, "does not know 'from_2031'"),
    ],
)
def test_which_configs_are_of_causal_models(config, words):
    assert {"llama", "mamba", "gemma3"} <= known_kinds()
    if not words:
        require_causal(config, "org/model")
        return
    with pytest.raises(ModelError, match=words):
        require_causal(config, "org/model")
