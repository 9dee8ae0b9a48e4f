"""What the model process does beyond reading and writing: one choice in full, rewards, files compressed.
See `lab/model_engine.py`."""

from __future__ import annotations

import math
import time
from base64 import b64decode, b64encode
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import torch

from lab.compression import Coded, coding, decoding, is_stored
from lab.errors import ModelError
from lab.generate import next_logits
from lab.insides import look_inside, parts, turned
from lab.loaded_models import Loaded, LoadedModels
from lab.scalar_head import SCORED_AT_ONCE, rewards, rewards_of_ids
from lab.turns import Turns

Request = dict[str, Any]
Answer = dict[str, Any]

INSIDE_TOKENS = 40
"""Tokens of a prompt whose inside is shown: a grid of more cannot be read."""
SORTER_STEPS, SORTER_EVERY = 400, 40
TELL_SECONDS = 0.25
"""Between two words on how far a long work is."""


class Studies:
    """Routes, as in `Engine`; bytes travel in base64."""

    def __init__(self, budget: int, device: str = "cpu") -> None:
        """`budget`: bytes of memory for models."""
        self._models = LoadedModels(budget, device)
        self._device = device
        self._turns = Turns()

    def give_up(self, request: Request) -> Answer:
        """{} → {}: give the GPU back to whoever needs it. On a processor nothing is given up."""
        if self._device == "cuda":
            self._models.forget()
            torch.cuda.empty_cache()
        return {}

    def _get(self, request: Request) -> Loaded:
        loaded = self._models.get(Path(request["model"]))
        if loaded.is_reward:
            raise ModelError("This is a reward model: it gives a number for a reply and writes nothing.")
        return loaded

    def _get_reward(self, request: Request) -> Loaded:
        loaded = self._models.get(Path(request["model"]))
        if not loaded.is_reward:
            raise ModelError("This model writes text; it gives no reward. Choose a reward model.")
        return loaded

    def reward(self, request: Request) -> Answer:
        """{model, conversations} → {rewards}: what a reward model gives each conversation, its last reply included."""
        loaded = self._get_reward(request)
        found: list[float] = []
        for start in range(0, len(request["conversations"]), SCORED_AT_ONCE):
            part = request["conversations"][start : start + SCORED_AT_ONCE]
            with self._turns.turn():
                found += rewards(loaded.model, loaded.template, part)
        return {"rewards": found}

    def reward_without(self, request: Request) -> Answer:
        """{model, messages} → {reward, tokens: [{text, effect}]}: the reward of a conversation, and by how much each
        token of its last reply moves it: the reward less what it is without that token."""
        loaded = self._get_reward(request)
        before, reply = loaded.reply_ids(request["messages"][:-1], request["messages"][-1]["content"])
        after = loaded.template.encode(request["messages"]).ids[len(before) + len(reply) :]
        texts = [[*before, *reply, *after]]
        texts += [[*before, *reply[:n], *reply[n + 1 :], *after] for n in range(len(reply))]
        found: list[float] = []
        for start in range(0, len(texts), SCORED_AT_ONCE):
            with self._turns.turn():
                found += rewards_of_ids(loaded.model, texts[start : start + SCORED_AT_ONCE])
        effects = [found[0] - without for without in found[1:]]
        named = {id: text for text, id in loaded.tokenizer.special_tokens.items()}
        texts_of = [named.get(id) or loaded.token_bytes(id).decode("utf-8", "replace") for id in reply]
        return {"reward": found[0], "tokens": [{"text": t, "effect": e} for t, e in zip(texts_of, effects)]}

    @torch.inference_mode()
    def distribution(self, request: Request) -> Answer:
        """{model, prompt, continued, top} → {prompt_ids, logprobs, texts}: log p of every token to come next (float32,
        in the order of their ids), and [id, text] of the most probable ones."""
        loaded = self._get(request)
        prompt = loaded.prompt_ids(request["prompt"])
        with self._turns.turn():
            logits_V = next_logits(loaded.model, [*prompt, *request["continued"]])
        logprobs_V = logits_V.double().log_softmax(-1).float().cpu()
        top = logprobs_V.topk(min(request["top"], len(logprobs_V))).indices.tolist()
        return {
            "prompt_ids": prompt,
            "logprobs": b64encode(logprobs_V.numpy().tobytes()).decode(),
            "texts": [[id, _text(loaded, id)] for id in top],
        }

    def inside(self, request: Request) -> Answer:
        """{model, prompt, layer, head} → {tokens, layers, heads, width, parts, attention, lens}: of the prompt's last
        tokens, the attention of one head (rows look at columns), and after each layer the likeliest next token of
        every place, [text, probability]."""
        loaded = self._get(request)
        ids = loaded.prompt_ids(request["prompt"])[-INSIDE_TOKENS:]
        with self._turns.turn():
            found = look_inside(loaded.model, ids)
        layer = min(max(0, request["layer"]), len(found.attention) - 1)
        head = min(max(0, request["head"]), found.attention[layer].shape[0] - 1)
        best = [each.max(-1) for each in found.lens]
        return {
            "tokens": [_text(loaded, id) for id in ids],
            "layers": len(found.attention),
            "heads": found.attention[layer].shape[0],
            "layer": layer,
            "head": head,
            "width": found.states[0].shape[-1],
            "vocabulary": found.lens[0].shape[-1],
            "parts": [[part.name, list(part.shape), part.copies, part.parameters] for part in parts(loaded.model)],
            "attention": [[round(share, 4) for share in row] for row in found.attention[layer][head].tolist()],
            "lens": [
                [
                    [_text(loaded, id), round(math.exp(logp), 4)]
                    for id, logp in zip(each.indices.tolist(), each.values.tolist())
                ]
                for each in best
            ],
        }

    def weights(self, request: Request) -> Answer:
        """{model} → {weights: [[name, rows, columns]]}: what `turn` can turn."""
        named = self._get(request).model.named_parameters()
        return {"weights": [[name, *(each.shape if each.ndim == 2 else (1, each.numel()))] for name, each in named]}

    def turn(self, request: Request) -> Answer:
        """{model, prompt, weight, row, column, value, top} → {was, rows: [[text, before, after]]}: the next token's
        probabilities with one weight at another value for a moment."""
        loaded = self._get(request)
        ids = loaded.prompt_ids(request["prompt"])
        place = request["weight"], request["row"], request["column"]
        with self._turns.turn(), torch.inference_mode():
            before_V = next_logits(loaded.model, ids).double().softmax(-1)
            with turned(loaded.model, *place, request["value"]) as was:
                after_V = next_logits(loaded.model, ids).double().softmax(-1)
        top = torch.maximum(before_V, after_V).topk(min(request["top"], len(before_V))).indices.tolist()
        rows = [[_text(loaded, id), float(before_V[id]), float(after_V[id])] for id in top]
        return {"was": was, "rows": rows}

    def compress(self, request: Request) -> Iterator[Answer]:
        """{model, data} → {done, of} … {file, size, tokens, bits, ideal_bits, model_bytes}."""
        loaded = self._get(request)
        coded: Coded = yield from self._told(coding(loaded, b64decode(request["data"])))
        about = {"size": coded.size, "tokens": coded.tokens, "bits": coded.bits, "ideal_bits": coded.ideal_bits}
        yield {"file": b64encode(coded.file).decode(), "model_bytes": loaded.size, **about}

    def decompress(self, request: Request) -> Iterator[Answer]:
        """{model, file} → {done, of} … {data}. A stored file needs no model."""
        file = b64decode(request["file"])
        data = yield from self._told(decoding(None if is_stored(file) else self._get(request), file))
        yield {"data": b64encode(data).decode()}

    def sorter(self, request: Request) -> Iterator[Answer]:
        """{letters} → {done, of} … {steps: [[step, loss, accuracy]], sorted}: a sorter trained, and what it makes of
        six letters."""
        from lab import sorter

        steps, going = [], sorter.train(steps=SORTER_STEPS, every=SORTER_EVERY)
        for number in range(SORTER_STEPS // SORTER_EVERY):
            with self._turns.turn():
                step, model = next(going)
            steps.append(list(step))
            yield {"done": SORTER_EVERY * (number + 1), "of": SORTER_STEPS}
        given = torch.tensor([[sorter.LETTERS.index(letter) for letter in request["letters"]]])
        answer = "".join(sorter.LETTERS[id] for id in sorter.sort(model, given)[0].tolist())
        yield {"steps": steps, "sorted": answer}

    def _told(self, work: Generator[tuple[int, int], None, Any]) -> Generator[Answer, None, Any]:
        """Do a long work, a turn for each step, and tell now and then how far it is."""
        told = time.monotonic()
        while True:
            with self._turns.turn():
                try:
                    done, of = next(work)
                except StopIteration as end:
                    return end.value
            if time.monotonic() - told >= TELL_SECONDS:
                told = time.monotonic()
                yield {"done": done, "of": of}
            else:
                yield {}


def _text(loaded: Loaded, id: int) -> str:
    return loaded.token_bytes(id).decode("utf-8", "replace")
