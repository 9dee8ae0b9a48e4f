"""Models to talk to, from the app's side: completions, chats, streams, next tokens, scores.

The models live in a process of their own (`lab/model_server.py`); no torch here. What comes back is in
`lab/completion.py`.
"""

from __future__ import annotations

import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from lab.completion import (
    Alternative,
    Completion,
    Compressed,
    GeneratedToken,
    PromptToken,
    Scored,
    ScoredToken,
    TokenRewards,
    alternatives,
)
from lab.config import PretrainConfig, SamplingConfig
from lab.errors import LabError
from lab.model_process import Answer, ModelProcess
from lab.next_token import NextToken

Messages = Sequence[Mapping[str, str]]
"""A conversation: {"role", "content"} of each message."""

Progress = Callable[[int, int], None]
"""Told how much is done, and of how much."""

__all__ = [
    "Alternative",
    "Completion",
    "Compressed",
    "GeneratedToken",
    "Inference",
    "PromptToken",
    "Scored",
    "ScoredToken",
    "TokenRewards",
    "TokenStream",
]


class TokenStream:
    """A model's writing as it comes: iterate for batches of tokens, close to stop it. `completion` is all of it."""

    def __init__(self, answer: Answer, model: str) -> None:
        self._answer = answer
        self._model = model
        self._tokens: list[GeneratedToken] = []
        self._over = False
        self.prompt_ids: list[int] = answer.line()["prompt_ids"]
        self.finish_reason = "stopped"
        """Why it ended (see `Completion.finish`); "stopped" until it has."""

    @property
    def completion(self) -> Completion:
        """What has been read so far; the whole completion once the iteration has ended."""
        return Completion.of(list(self._tokens), self._model, self.finish_reason, len(self.prompt_ids))

    def __iter__(self) -> Iterator[list[GeneratedToken]]:
        return self

    def __next__(self) -> list[GeneratedToken]:
        if self._over:
            raise StopIteration
        try:
            part = self._answer.line()
        except BaseException:
            self.close()
            raise
        if "tokens" in part:
            batch = [GeneratedToken.from_json(token) for token in part["tokens"]]
            self._tokens += batch
            return batch
        self.finish_reason = part.get("finish", "stopped")
        self.close()
        raise StopIteration

    def close(self) -> None:
        """Stop the writing, if it still goes on. May be called from another thread."""
        self._over = True
        self._answer.close()

    def __enter__(self) -> TokenStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Inference:
    """Asks models. A model is named by its reference; a prompt is a text to go on from, or messages to reply to.

    Every method raises `ModelError` for a model that cannot be found, loaded or used, and when the model process dies;
    the next call starts it again.
    """

    def __init__(self, resolve: Callable[[str], Path], log_file: Path) -> None:
        self._resolve = resolve
        self._process = ModelProcess(log_file)

    @property
    def pid(self) -> int | None:
        """The model process, while it runs."""
        return self._process.pid

    def complete(self, model: str, prompt: str, sampling: SamplingConfig | None = None) -> Completion:
        """Go on from a text."""
        return self._whole(model, prompt, sampling)

    def chat(self, model: str, messages: Messages | str, sampling: SamplingConfig | None = None) -> Completion:
        """Reply to a conversation, or to a single message of the user."""
        return self._whole(model, _conversation(messages), sampling)

    def complete_many(
        self, model: str, prompts: Sequence[Messages | str], sampling: SamplingConfig | None = None, top: int = 0
    ) -> list[Completion]:
        """All prompts at once (texts to go on from, or conversations), which is much faster than one after the other.

        The same prompt several times gives as many samples, the first of them what `complete` gives.
        """
        plain = [prompt if isinstance(prompt, str) else _conversation(prompt) for prompt in prompts]
        settings = (sampling or SamplingConfig()).to_json()
        answer = self._process.open("complete", self._about(model, prompts=plain, sampling=settings, top=top))
        with closing(answer):
            while "completions" not in (part := answer.line()):
                pass
        return [Completion.from_json(row, model) for row in part["completions"]]

    def stream(
        self,
        model: str,
        prompt: Messages | str,
        sampling: SamplingConfig | None = None,
        top: int = 8,
        continued: Sequence[int] = (),
    ) -> TokenStream:
        """Batches of tokens while the model writes, after `prompt` and the tokens `continued` already written."""
        settings = (sampling or SamplingConfig()).to_json()
        request = self._about(model, prompt=_plain(prompt), sampling=settings, top=top, continued=list(continued))
        return TokenStream(self._process.open("stream", request), model)

    def next_token(
        self, model: str, prompt: Messages | str, top: int = 20, continued: Sequence[int] = ()
    ) -> list[Alternative]:
        """The `top` most probable next tokens, the first choice first."""
        request = self._about(model, prompt=_plain(prompt), top=top, continued=list(continued))
        return alternatives(self._process.ask("next", request)["top"])

    def next_distribution(self, model: str, prompt: Messages | str, continued: Sequence[int] = ()) -> NextToken:
        """The probability of every token of the vocabulary to come next."""
        request = self._about(model, prompt=_plain(prompt), continued=list(continued), top=100)
        answer = self._process.ask("distribution", request)
        logprobs_V = np.frombuffer(b64decode(answer["logprobs"]), dtype=np.float32)
        return NextToken(logprobs_V, tuple(answer["prompt_ids"]), len(continued), dict(answer["texts"]))

    def prompt_tokens(self, model: str, prompt: Messages | str) -> list[PromptToken]:
        """The tokens that the model would read, control tokens of the chat template included."""
        answer = self._process.ask("prompt", self._about(model, prompt=_plain(prompt)))
        return [PromptToken.from_json(token) for token in answer["tokens"]]

    def score(self, model: str, text: str, top: int = 8) -> Scored:
        """How probable the model finds a text, as the beginning of a document."""
        return self.score_continuation(model, "", text, top)

    def score_continuation(self, model: str, prompt: str, continuation: str | Sequence[int], top: int = 8) -> Scored:
        """How probable the model finds `continuation` (text or token ids) after `prompt`; only it is scored."""
        return self._scored(model, prompt, continuation, top)

    def score_reply(self, model: str, messages: Messages | str, reply: str | Sequence[int], top: int = 8) -> Scored:
        """How probable the model finds a given reply in a conversation. A reply given as text is scored with the token
        that ends it; one given as token ids, as it is."""
        return self._scored(model, _conversation(messages), reply, top)

    def nudge(
        self,
        model: str,
        window: Sequence[Sequence[int]],
        others: Sequence[Sequence[Sequence[int]]],
        *,
        rate: float,
        steps: int = 1,
        fresh: PretrainConfig | None = None,
    ) -> dict[str, Any]:
        """Train a copy of a model on one window for a step or a few: the values of `lab.one_nudge.Nudged`. With
        `fresh`, a network with random weights of that shape instead, with the model's tokenizer."""
        request = self._about(model, window=window, others=others, rate=rate, steps=steps)
        return self._process.ask("nudge", request | {"fresh": fresh.to_json() if fresh else None})

    def training_speed(self, tokenizer: str, settings: PretrainConfig, texts: Sequence[str]) -> dict[str, float]:
        """How fast the model that the settings name (else a new network) trains on such texts here, measured for a few
        seconds: the values of `lab.training_speed.TrainingSpeed`. `tokenizer` is the model whose tokenizer is used."""
        return self._process.ask("speed", self._about(tokenizer, settings=settings.to_json(), texts=list(texts)))

    def inside(self, model: str, prompt: Messages | str, layer: int = 0, head: int = 0) -> dict[str, Any]:
        """What the prompt does in the network: see `Studies.inside` in lab/model_studies.py for what is in the dict."""
        return self._process.ask("inside", self._about(model, prompt=_plain(prompt), layer=layer, head=head))

    def weights(self, model: str) -> list[tuple[str, int, int]]:
        """(name, rows, columns) of everything in a network that `turn` can turn."""
        return [tuple(each) for each in self._process.ask("weights", self._about(model))["weights"]]

    def turn(
        self, model: str, prompt: Messages | str, weight: str, row: int, column: int, value: float | None, top: int = 10
    ) -> tuple[float, list[tuple[str, float, float]]]:
        """The value a weight has, and what another one would do: (text, probability before, after) of next tokens."""
        place = {"weight": weight, "row": row, "column": column, "value": value}
        answer = self._process.ask("turn", self._about(model, prompt=_plain(prompt), top=top, **place))
        return answer["was"], [tuple(each) for each in answer["rows"]]

    def sorter(self, letters: str, watch: Progress | None = None) -> tuple[list[tuple[int, float, float]], str]:
        """Train the sorter (lab/sorter.py): (step, loss, share sorted) on the way, and what it makes of six letters."""
        answer = self._followed("sorter", {"letters": letters}, watch)
        return [tuple(step) for step in answer["steps"]], answer["sorted"]

    def compress(self, model: str, data: bytes, watch: Progress | None = None) -> Compressed:
        """A file as the few bits that the model needs to be told what comes next. `watch` is told the tokens done and
        the tokens there are."""
        answer = self._followed("compress", self._about(model, data=b64encode(data).decode()), watch)
        return Compressed(**answer | {"file": b64decode(answer["file"]), "model": model})

    def decompress(self, model: str, file: bytes, watch: Progress | None = None) -> bytes:
        """The data that `compress` made a file of, with the same model. Raises `DataError` for another kind of file."""
        request = self._about(model, file=b64encode(file).decode())
        return b64decode(self._followed("decompress", request, watch)["data"])

    def reward(self, model: str, conversations: Sequence[Messages]) -> list[float]:
        """What a reward model gives each conversation; the reply that is judged comes last."""
        plain = [_plain(messages) for messages in conversations]
        return self._process.ask("reward", self._about(model, conversations=plain))["rewards"]

    def reward_without(self, model: str, messages: Messages) -> TokenRewards:
        """What a reward model gives a conversation, and by how much each token of the last reply moves it."""
        return TokenRewards.from_json(
            self._process.ask("reward_without", self._about(model, messages=_plain(messages)))
        )

    def machine_rates(self) -> dict[str, Any]:
        """How fast this machine is, measured now: the values of `lab.machine_rates.rates`."""
        return self._process.ask("rates", {})

    def loaded(self) -> dict[str, int]:
        """The models that the process holds, by folder, and their sizes in bytes. Does not start the process."""
        if self.pid is None:
            return {}
        return {row["folder"]: row["bytes"] for row in self._process.ask("models", {})["models"]}

    def unload(self, model: str | None = None) -> None:
        """Give up a model, or all of them. Does not start the process."""
        if self.pid is not None:
            self._process.ask("unload", {"model": None} if model is None else self._about(model))

    def give_up_gpu(self) -> None:
        """Have the process give up its models where they lie on a GPU that a run needs. Does not start the process."""
        if self.pid is not None:
            self._process.ask("give_up", {})

    def warm(self, model: str) -> None:
        """Have a model loaded in the background, so that the first question is answered at once."""

        def load() -> None:
            try:
                self._process.ask("load", self._about(model))
            except LabError:  # who asks the first question is told
                return

        threading.Thread(target=load, daemon=True).start()

    def close(self) -> None:
        """End the model process and give its memory back; the next question starts it again."""
        self._process.close()

    def _about(self, model: str, **more: Any) -> dict[str, Any]:
        return {"model": str(self._resolve(model).resolve()), **more}

    def _followed(self, route: str, request: dict[str, Any], watch: Progress | None) -> dict[str, Any]:
        """The last line of an answer that tells how far it is."""
        with closing(self._process.open(route, request)) as answer:
            while "done" in (part := answer.line()):
                if watch is not None:
                    watch(part["done"], part["of"])
        return part

    def _whole(self, model: str, prompt: Messages | str, sampling: SamplingConfig | None) -> Completion:
        with self.stream(model, prompt, sampling) as stream:
            for _ in stream:
                pass
            return stream.completion

    def _scored(self, model: str, prompt: Messages | str, reply: str | Sequence[int], top: int) -> Scored:
        given = reply if isinstance(reply, str) else list(reply)
        answer = self._process.ask("score", self._about(model, prompt=_plain(prompt), reply=given, top=top))
        return Scored.from_json(answer, model)


def _conversation(messages: Messages | str) -> Messages:
    return [{"role": "user", "content": messages}] if isinstance(messages, str) else _plain(messages)


def _plain(prompt: Messages | str) -> Any:
    return prompt if isinstance(prompt, str) else [dict(message) for message in prompt]
