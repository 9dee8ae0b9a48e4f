"""The models in `assets/models`: they load everywhere with the same logits, and can do what their cards say."""

import json
from pathlib import Path

import pytest
import torch

from lab.model import load_model
from lab.tokenizer import load_tokenizer
from lab.world import World

MODELS = Path(__file__).parents[1] / "assets" / "models"
NAMES = sorted(path.name for path in MODELS.iterdir() if path.is_dir())

of_each = pytest.mark.parametrize("name", NAMES)


@of_each
def test_the_folder_is_whole(name):
    folder = MODELS / name
    about = json.loads((folder / "config.json").read_text())
    assert about["dtype"] == "float32"
    assert about["max_position_embeddings"] >= 1024
    assert load_tokenizer(folder).vocab_size == about["vocab_size"]
    assert set(load_model(folder).end_ids) == {0, 4}
    assert "lab.world" in (folder / "README.md").read_text(), "the card says how the model is made again"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 4_000_000


@of_each
def test_transformers_gives_the_same_logits(name):
    from transformers import AutoModelForCausalLM

    world = World(0)
    text = "\n".join(document.text for document in world.documents(12, split="heldout"))
    ids = torch.tensor([[0, *load_tokenizer(MODELS / name).ids(text)][:700]])
    theirs = AutoModelForCausalLM.from_pretrained(MODELS / name)
    assert theirs.dtype == torch.float32
    with torch.no_grad():
        difference = (theirs(ids).logits - load_model(MODELS / name).logits(ids)).abs().max()
    assert difference < 1e-4


def test_no_token_of_a_chat_comes_by_itself():
    """A base model writes pages; what structures a chat is improbable on them."""
    model, tokenizer = load_model(MODELS / "base"), load_tokenizer(MODELS / "base")
    control = [tokenizer.special_tokens[token] for token in ("<|user|>", "<|assistant|>", "<|system|>")]
    for document in World(0).documents(20, split="heldout"):
        ids = torch.tensor([[0, *tokenizer.ids(document.text)][:1000]])
        with torch.no_grad():
            probabilities = model.logits(ids)[0].softmax(-1)
        assert probabilities[:, control].sum(-1).mean() < 0.005


FLOORS = {
    "base": {
        "facts/famous": 0.5,
        "few-shot/1": 0.9,
        "drills": 0.9,
        "arithmetic/level 2/worked": 0.9,
        "raw question": 0.9,
        "spelling/seen": 0.9,
    },
    "sft": {"chat/ends its turn": 0.9, "chat/famous": 0.85, "chat/level 2/worked": 0.85, "chat/identity": 0.9},
}
CEILINGS = {"base": {"few-shot/0": 0.6, "arithmetic/level 2/direct": 0.3, "spelling/unseen": 0.1}, "sft": {}}
"""What the cards say at n = 200, less what n = 60 may be off by."""


@pytest.mark.slow
@of_each
def test_it_can_do_what_its_card_says(name):
    from lab.probes import run_probes
    from lab.world.measure import FolderModel

    answer = FolderModel(MODELS / name).answer
    shares = {r.name: r.share for r in run_probes(answer, names=[*FLOORS[name], *CEILINGS[name]], n=60)}
    assert not {probe: shares[probe] for probe, floor in FLOORS[name].items() if shares[probe] < floor}
    assert not {probe: shares[probe] for probe, ceiling in CEILINGS[name].items() if shares[probe] > ceiling}
