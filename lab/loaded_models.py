"""The models that the model process holds: loaded when first asked for, the longest unused given up for room."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lab.chat_template import ChatTemplate
from lab.conversation import Message
from lab.errors import ModelError
from lab.model_folder import is_reward_model
from lab.tokenizer import Tokenizer, load_tokenizer

Prompt = str | Sequence[Mapping[str, str]]
"""A text to go on from, or messages ({"role", "content"}) to reply to."""


@dataclass(frozen=True)
class Loaded:
    """A model ready to be asked, with the tokenizer and the chat template of its folder."""

    folder: Path
    model: Any
    tokenizer: Tokenizer
    size: int
    """Bytes of memory that its weights take."""

    @property
    def is_reward(self) -> bool:
        """Whether it is a reward model."""
        return is_reward_model(self.folder)

    @cached_property
    def template(self) -> ChatTemplate:
        """How a conversation is written for this model."""
        return ChatTemplate.from_folder(self.folder)

    @cached_property
    def start_ids(self) -> list[int]:
        """What stands before a raw text: the token that begins a document, where the tokenizer has one of its own."""
        names = self.tokenizer.named_tokens
        begin = names.get("bos_token")
        return self.tokenizer.ids(begin, parse_special=True) if begin and begin != names.get("eos_token") else []

    @cached_property
    def end_ids(self) -> frozenset[int]:
        """The tokens at which a text of this model ends."""
        return frozenset([*self.model.end_ids, *self.template.end_ids])

    @cached_property
    def special_ids(self) -> frozenset[int]:
        """Control tokens: they have no text of their own."""
        return self.end_ids | frozenset(self.tokenizer.special_tokens.values())

    def prompt_ids(self, prompt: Prompt) -> list[int]:
        """The tokens that the model reads: of a raw text, or of a conversation up to where the assistant begins."""
        if isinstance(prompt, str):
            return [*self.start_ids, *self.tokenizer.ids(prompt)]
        return self.template.prompt_ids(_messages(prompt))

    def reply_ids(self, messages: Sequence[Mapping[str, str]], reply: str) -> tuple[list[int], list[int]]:
        """The tokens before a given reply, and those of the reply with the one that ends it."""
        encoded = self.template.encode(_messages([*messages, {"role": "assistant", "content": reply}]))
        last = len(encoded.ids)
        while last and not encoded.loss_mask[last - 1]:
            last -= 1
        first = last
        while first and encoded.loss_mask[first - 1]:
            first -= 1
        return encoded.ids[:first], encoded.ids[first:last]

    def token_bytes(self, id: int) -> bytes:
        """What a token stands for; nothing for an id that the network has and the tokenizer has not."""
        return self.tokenizer.token_bytes(id) if 0 <= id < self.tokenizer.vocab_size else b""


def _messages(rows: Sequence[Mapping[str, str]]) -> list[Message]:
    return [Message(row["role"], row["content"]) for row in rows]


class LoadedModels:
    """A store of models within a memory budget. Safe to use from several threads; each model is loaded once, and while
    one is being loaded the others can be had."""

    def __init__(self, budget: int, device: str = "cpu") -> None:
        """`budget` in bytes. The model asked for last is kept even if it alone is larger."""
        self._budget, self._device = budget, device
        self._models: OrderedDict[Path, tuple[int, Loaded]] = OrderedDict()
        self._lock = threading.Lock()
        self._loading: dict[Path, threading.Lock] = {}

    def get(self, folder: Path) -> Loaded:
        """The model of a folder, loaded again when its files have changed. Raises `ModelError` when it cannot be."""
        written = _written(folder)
        with self._lock:
            one_at_a_time = self._loading.setdefault(folder, threading.Lock())
        with one_at_a_time:
            with self._lock:
                known = self._models.get(folder)
                if known and known[0] == written:
                    self._models.move_to_end(folder)
                    return known[1]
                self._models.pop(folder, None)
                self._make_room(sum(file.stat().st_size for file in folder.glob("*.safetensors")))
            loaded = self._load(folder)
            with self._lock:
                self._make_room(loaded.size)
                self._models[folder] = written, loaded
            return loaded

    def forget(self, folder: Path | None = None) -> None:
        """Give up a model, or all of them."""
        with self._lock:
            for known in [folder] if folder else list(self._models):
                self._models.pop(known, None)

    def about(self) -> list[dict[str, Any]]:
        """The folders of the models held and their sizes, the longest unused first."""
        with self._lock:
            return [{"folder": str(folder), "bytes": loaded.size} for folder, (_, loaded) in self._models.items()]

    def _load(self, folder: Path) -> Loaded:
        from lab.model import load_model
        from lab.scalar_head import load_reward_model

        load = load_reward_model if is_reward_model(folder) else load_model
        try:
            model = load(folder, device=self._device).eval()
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "memory" not in str(error):
                raise
            self.forget()
            raise ModelError(
                f"There is not enough memory to load {folder.name}. Close other models or runs."
            ) from error
        size = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
        return Loaded(folder, model, load_tokenizer(folder), size)

    def _make_room(self, size: int) -> None:
        while self._models and size + sum(loaded.size for _, loaded in self._models.values()) > self._budget:
            self._models.popitem(last=False)


def _written(folder: Path) -> int:
    """When the files of a model were last written: a run that went on has another model under the same name."""
    return max((file.stat().st_mtime_ns for file in folder.glob("*.safetensors")), default=0)
