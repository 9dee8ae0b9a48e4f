"""What the model process does when it is asked: one method for each route of `lab/model_server.py`.

Requests and answers are JSON values. Models work one at a time: whoever asks waits for a turn, and a text that is being
written gives its turn up after every token, so that two streams share the processor fairly. Loading a model takes none.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from lab.chance import Key, keys_for, prompt_key
from lab.config import PretrainConfig, SamplingConfig
from lab.generate import Alternatives, Step, generate, score
from lab.loaded_models import Loaded
from lab.machine_rates import rates
from lab.model import new_model
from lab.model_studies import Answer, Request, Studies
from lab.one_nudge import nudge, to_json
from lab.text_stream import TextStream, TextToken
from lab.training_speed import training_speed
from lab.windows import encode_documents, pack_documents

FLUSH_SECONDS = 0.04
"""Tokens of a stream travel together for this long: a page cannot show them faster."""

ROWS_AT_ONCE = 64
"""Prompts that are completed in one batch."""


class Engine(Studies):
    """The routes. `model` in a request is the folder of a model, `prompt` as in `lab/loaded_models.py`."""

    # --- models --------------------------------------------------------------------------------------------------

    def models(self, request: Request) -> Answer:
        """{} → {models: [{folder, bytes}]}: the models held."""
        return {"models": self._models.about()}

    def load(self, request: Request) -> Answer:
        """{model} → {}: load a model, so that the first question is answered at once."""
        self._models.get(Path(request["model"]))
        return {}

    def unload(self, request: Request) -> Answer:
        """{model or null} → {}: give up a model, or all of them."""
        self._models.forget(Path(request["model"]) if request["model"] else None)
        return {}

    # --- reading -------------------------------------------------------------------------------------------------

    def prompt(self, request: Request) -> Answer:
        """{model, prompt} → {tokens}: what the model would read."""
        loaded = self._get(request)
        return {"tokens": [_token(loaded, id) for id in loaded.prompt_ids(request["prompt"])]}

    def next(self, request: Request) -> Answer:
        """{model, prompt, continued, top} → {top}: the most probable next tokens."""
        loaded = self._get(request)
        ids = [*loaded.prompt_ids(request["prompt"]), *request["continued"]]
        greedy = SamplingConfig(temperature=0.0, max_new_tokens=1)
        with self._turns.turn():
            (step,) = next(generate(loaded.model, [ids], greedy, end_ids=(), top=request["top"]))
        return {"top": _alternatives(loaded, step.top)}

    def score(self, request: Request) -> Answer:
        """{model, prompt, reply: text or ids, top} → {tokens, bytes}: how probable the model finds the reply.

        `bytes` counts those of the tokens that have a probability: a first token that nothing precedes has none. After
        messages, a reply given as text is scored with the token that ends it.
        """
        loaded = self._get(request)
        prompt, reply = request["prompt"], request["reply"]
        if isinstance(prompt, str) or not isinstance(reply, str):
            before = loaded.prompt_ids(prompt)
            ids = loaded.tokenizer.ids(reply) if isinstance(reply, str) else list(reply)
        else:
            before, ids = loaded.reply_ids(prompt, reply)
        with self._turns.turn():
            scores = score(loaded.model, [*before, *ids], top=request["top"])
        first = max(0, len(before) - 1)
        rows: list[Answer] = [] if before or not ids else [{"logprob": None, "entropy": None, "top": []}]
        for logprob, entropy, top in zip(scores.logprobs[first:], scores.entropies[first:], scores.top[first:]):
            rows.append({"logprob": logprob, "entropy": entropy, "top": _alternatives(loaded, top)})
        scored = [id for id, row in zip(ids, rows, strict=True) if row["logprob"] is not None]
        return {
            "tokens": [_token(loaded, id) | row for id, row in zip(ids, rows)],
            "bytes": sum(len(loaded.token_bytes(id)) for id in scored if id not in loaded.special_ids),
        }

    # --- learning, on copies -----------------------------------------------------------------------------------------

    def nudge(self, request: Request) -> Answer:
        """{model, fresh: settings or null, window, others, rate, steps} → `lab.one_nudge.Nudged`: train a copy.

        With `fresh`, a network with random weights of that shape is nudged, with the tokenizer of `model`.
        """
        loaded = self._get(request)
        model = loaded.model
        if request["fresh"]:
            model = self._fresh(loaded, request["fresh"])
        with self._turns.turn():
            found = nudge(model, request["window"], request["others"], rate=request["rate"], steps=request["steps"])
        return to_json(found, lambda id: loaded.token_bytes(id).decode("utf-8", "replace"))

    def _fresh(self, loaded: Loaded, settings: Request) -> Any:
        config = PretrainConfig.from_json(settings)
        size = max(config.vocabulary, loaded.tokenizer.vocab_size)
        return new_model(config, size, config.seed).to(self._device)

    def speed(self, request: Request) -> Answer:
        """{model, settings, texts} → `lab.training_speed.TrainingSpeed`: how fast a copy of the model, or where the
        settings name none a new network, would train on such texts."""
        loaded = self._get(request)
        config = PretrainConfig.from_json(request["settings"])
        windows = pack_documents(encode_documents(request["texts"], loaded.tokenizer), config.max_length)
        model = copy.deepcopy(loaded.model) if config.model else self._fresh(loaded, request["settings"])
        with self._turns.turn():
            found = training_speed(model, config, windows)
        return found.to_json()

    def rates(self, request: Request) -> Answer:
        """{} → the values of `lab.machine_rates.rates`, of the device that a training takes."""
        with self._turns.turn():
            return rates("cuda" if torch.cuda.is_available() else self._device)

    # --- writing -------------------------------------------------------------------------------------------------

    def stream(self, request: Request) -> Iterator[Answer]:
        """{model, prompt, continued, sampling, top} → {prompt_ids} {tokens} … {finish}: writing as it comes.

        `continued` are tokens after the prompt that are already written. Parts that are empty are only there to let
        the reader find out whether anybody still listens.
        """
        loaded = self._get(request)
        sampling = SamplingConfig.from_json(request["sampling"])
        prompt, continued = loaded.prompt_ids(request["prompt"]), request["continued"]
        key = Key(prompt_key(prompt), position=len(continued))
        yield {"prompt_ids": prompt}
        text = TextStream(loaded.tokenizer, sampling.stop, loaded.special_ids)
        steps = generate(
            loaded.model,
            [[*prompt, *continued]],
            sampling,
            end_ids=loaded.end_ids,
            keys=[key],
            top=request["top"],
            over=text.add,
        )
        finish, flushed = "", time.monotonic()
        while not finish:
            with self._turns.turn():
                ((*_, finish, _),) = next(steps)
            if finish or time.monotonic() - flushed >= FLUSH_SECONDS:
                yield {"tokens": [_written(loaded, token) for token in text.take(last=bool(finish))]}
                flushed = time.monotonic()
            else:
                yield {}
        yield {"finish": finish}

    def complete(self, request: Request) -> Iterator[Answer]:
        """{model, prompts, sampling, top} → {finished} … {completions}: all prompts, many at a time.

        A prompt that stands there several times gives several samples; the first is what `stream` would write.
        """
        loaded = self._get(request)
        sampling = SamplingConfig.from_json(request["sampling"])
        prompts = [loaded.prompt_ids(prompt) for prompt in request["prompts"]]
        keys = keys_for(prompts)
        completions: list[Answer] = []
        for start in range(0, len(prompts), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            yield from self._complete(loaded, prompts[part], keys[part], sampling, request["top"], completions)
        yield {"completions": completions}

    def _complete(
        self,
        loaded: Loaded,
        prompts: list[list[int]],
        keys: list[Key],
        sampling: SamplingConfig,
        top: int,
        completions: list[Answer],
    ) -> Iterator[Answer]:
        """Complete one batch and add it to `completions`; yields how many are finished, once a second at most."""
        texts = [TextStream(loaded.tokenizer, sampling.stop, loaded.special_ids) for _ in prompts]
        finishes, told = [""] * len(prompts), time.monotonic()
        steps = generate(
            loaded.model,
            prompts,
            sampling,
            end_ids=loaded.end_ids,
            keys=keys,
            top=top,
            over=lambda step: texts[step.row].add(step),
        )
        while not all(finishes):
            with self._turns.turn():
                for step in next(steps):
                    finishes[step.row] = step.finish
            if time.monotonic() - told >= 1:
                told = time.monotonic()
                yield {"finished": len(completions) + sum(map(bool, finishes))}
            else:
                yield {}
        for prompt, text, finish in zip(prompts, texts, finishes, strict=True):
            tokens = [_written(loaded, token) for token in text.take(last=True)]
            completions.append({"prompt_ids": prompt, "tokens": tokens, "finish": finish})


def _alternatives(loaded: Loaded, top: Alternatives) -> list[tuple[int, str, float]]:
    return [(id, loaded.token_bytes(id).decode("utf-8", "replace"), logprob) for id, logprob in top]


def _token(loaded: Loaded, id: int) -> Answer:
    content = loaded.token_bytes(id)
    special = id in loaded.special_ids
    return {"id": id, "text": content.decode("utf-8", "replace"), "bytes": content.hex(), "special": special}


def _written(loaded: Loaded, token: TextToken) -> Answer:
    step: Step = token.step
    return _token(loaded, step.id) | {
        "text": token.text,
        "logprob": step.logprob,
        "coin": step.coin,
        "top": _alternatives(loaded, step.top),
    }
