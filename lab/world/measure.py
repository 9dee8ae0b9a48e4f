"""Measures a model in a folder against the world: all probes at once, bits per byte by family, memorization.

    python -m lab.world.measure assets/models/base --n 200

For the model cards; the app asks through `lab/probes.py` and its model process.
"""

from __future__ import annotations

import argparse
import json
import lzma
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from lab.algorithms.pretrain import bits_per_byte
from lab.batching import pack
from lab.chat_template import ChatTemplate
from lab.config import SamplingConfig
from lab.generate import complete
from lab.model import load_model
from lab.probes import PROBES, run_probes
from lab.run_dir import read_jsonl
from lab.tokenizer import load_tokenizer
from lab.windows import encode_documents, pack_documents
from lab.world.pages import MIX
from lab.world.questions import Answer, Item, words_continued
from lab.world.world import World

BATCH = 64


class FolderModel:
    """A model loaded here and now, answering items greedily in batches."""

    def __init__(self, folder: Path) -> None:
        self.model: Any = load_model(folder)
        self.tokenizer = load_tokenizer(folder)
        self.template = ChatTemplate.from_folder(folder)
        tokens = range(self.tokenizer.vocab_size)
        self._newlines = {token for token in tokens if "\n" in self.tokenizer.token_text(token)}

    def answer(self, items: Sequence[Item]) -> list[Answer]:
        """The greedy answers, in the order of the items."""
        order = sorted(
            range(len(items)), key=lambda number: (items[number].max_new_tokens, len(str(items[number].prompt)))
        )
        answers: dict[int, Answer] = {}
        for start in range(0, len(order), BATCH):
            numbers = order[start : start + BATCH]
            answers |= dict(zip(numbers, self._answer([items[number] for number in numbers])))
        return [answers[number] for number in range(len(items))]

    def _answer(self, items: list[Item]) -> list[Answer]:
        ends = set(self.model.end_ids) | (self._newlines if items[0].stop else set())
        sampling = SamplingConfig(temperature=0.0, max_new_tokens=max(item.max_new_tokens for item in items))
        written = complete(self.model, [self.ids(item) for item in items], sampling, end_ids=ends)
        texts = [self.tokenizer.decode([i for i in each.ids if i not in self.model.end_ids]) for each in written]
        return [Answer(text, each.finish == "end") for text, each in zip(texts, written)]

    def ids(self, item: Item) -> list[int]:
        """An item's prompt as tokens; in a chat the last message may be the start of the assistant's answer."""
        if isinstance(item.prompt, str):
            return [*self._begin, *self.tokenizer.ids(item.prompt)]
        messages = list(item.prompt)
        start = messages.pop()["content"] if messages[-1]["role"] == "assistant" else ""
        return self.template.prompt_ids(messages) + self.tokenizer.ids(start)

    @property
    def _begin(self) -> list[int]:
        return self.tokenizer.ids(self.tokenizer.named_tokens["bos_token"], parse_special=True)

    def bits_per_byte(self, texts: Sequence[str]) -> float:
        """Bits per byte over documents, their ends counted."""
        windows = pack_documents(encode_documents(texts, self.tokenizer), self.model.context_length)
        with torch.no_grad():
            nats = sum(-float(self.model(pack(windows[i])).logp_L.sum()) for i in range(len(windows)))
        return bits_per_byte(nats, sum(len(text.encode()) for text in texts))


def xz_bits_per_byte(texts: Sequence[str], training: str, last: int = 8 << 20) -> float:
    """Bits per byte that xz -9 needs for the texts after the last bytes of the training text."""
    known, new = training.encode()[-last:], "\n".join(texts).encode()
    return 8 * (len(_xz(known + new)) - len(_xz(known))) / len(new)


def _xz(data: bytes) -> bytes:
    return lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)


def by_family(model: FolderModel, world: World, documents: int) -> dict[str, float]:
    """Bits per byte of held-out pages of each family."""
    pages = {family: [d.text for d in world.family_documents(family, documents, split="heldout")] for family in MIX}
    return {family: model.bits_per_byte(texts) for family, texts in pages.items()}


def memorization(model: FolderModel, world: World) -> dict[int, float]:
    """Mean number of words continued verbatim (at most 24) after the first words of repeated pages, by repeats."""
    found: dict[int, list[int]] = {}
    for page in world.repeated_pages():
        prompt = " ".join(page.text.split()[:8])
        item = Item(prompt, page.text, lambda answer: True, max_new_tokens=160)
        text = model.answer([item])[0].text
        found.setdefault(page.repeats, []).append(words_continued(page.text, prompt, text))
    return {repeats: statistics.mean(counts) for repeats, counts in found.items()}


def measure(
    folder: Path, n: int, *, chat: bool, training: str = "", names: Sequence[str] | None = None
) -> dict[str, Any]:
    """Every figure of a model card; for a chat model the chat probes too."""
    model, world = FolderModel(folder), World()
    names = names or [probe.name for probe in PROBES if chat or not probe.chat]
    probes = [asdict(result) for result in run_probes(model.answer, names=names, n=n, world=world)]
    heldout = [d.text for d in world.documents(300, split="heldout")]
    figures = {
        "probes": probes,
        "bits_per_byte": model.bits_per_byte(heldout),
        "by_family": by_family(model, world, 20),
    }
    if training:
        figures["xz_bits_per_byte"] = xz_bits_per_byte(heldout, training)
    return figures | {"memorization": memorization(model, world)}


def main() -> None:
    """The command line: prints the probes as a table, then everything as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--chat", action="store_true", help="ask the chat probes too")
    parser.add_argument("--only", nargs="*", help="names of probes")
    parser.add_argument("--training", type=Path, help="training text (JSON lines), to prime xz with")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    training = "\n".join(row["text"] for row in read_jsonl(arguments.training)) if arguments.training else ""
    figures = measure(arguments.folder, arguments.n, chat=arguments.chat, training=training, names=arguments.only)
    for probe in figures["probes"]:
        share = probe["right"] / probe["n"]
        print(f"{probe['name']:32} {share:6.1%}  [{probe['low']:.1%}, {probe['high']:.1%}]  n={probe['n']}")
    print({name: value for name, value in figures.items() if name != "probes"})
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
