"""A stand-in for models to talk to: scripted texts, no process. For tests of the page."""

import math
import time
from types import SimpleNamespace

import numpy as np

from lab.errors import ModelError
from lab.inference import GeneratedToken, ScoredToken
from lab.next_token import NextToken

HALF = math.log(0.5)


def token(id, text, logprob=HALF, top=None, raw=None):
    """A token as a model writes it; its alternatives are itself and `top`."""
    alternatives = [(id, text, logprob), *(top or [])]
    return GeneratedToken(id, text, text.encode() if raw is None else raw, logprob, 0.5, alternatives)


class FakeStream:
    """Batches of one token, `pause` seconds apart; knows whether it was closed early."""

    def __init__(self, tokens, finish="end", pause=0.0):
        self._tokens = iter(tokens)
        self._end = finish
        self.pause = pause
        self.finish_reason = "stopped"
        self.closed = False
        self.given = 0

    def __iter__(self):
        return self

    def __next__(self):
        if self.pause:
            time.sleep(self.pause)
        following = next(self._tokens, None)
        if following is None:
            self.finish_reason = self._end
            raise StopIteration
        self.given += 1
        return [following]

    def close(self):
        self.closed = True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class FakeInference:
    """`texts`: model → tokens it writes. `scores`: model → log-probability of every token of any text."""

    def __init__(self, texts, scores=None, pause=0.0, finish="end"):
        self.texts, self.scores, self.pause, self.finish = texts, scores or {}, pause, finish
        self.streams = []
        self.asked = []

    def stream(self, model, prompt, sampling=None, top=8, continued=()):
        if model not in self.texts:
            raise ModelError(f"There is no model {model!r}.")
        self.asked.append((model, prompt, sampling, tuple(continued)))
        text = self.texts[model]
        written = text(prompt, continued) if callable(text) else text[len(continued) :]
        made = FakeStream(written[: sampling.max_new_tokens], self.finish, self.pause)
        self.streams.append(made)
        return made

    def next_token(self, model, prompt, top=20, continued=()):
        if model not in self.texts:
            raise ModelError(f"There is no model {model!r}.")
        return self.texts[model][0].top[:top] if not callable(self.texts[model]) else []

    def next_distribution(self, model, prompt, continued=()):
        if model not in self.texts:
            raise ModelError(f"There is no model {model!r}.")
        text = self.texts[model]
        following = (text(prompt, continued) if callable(text) else text[len(continued) :]) or [token(0, "")]
        shares = [math.exp(logprob) for _, _, logprob in following[0].top]
        logprobs = np.log(np.array(shares) / sum(shares)).astype(np.float32)
        names = {place: name for place, (_, name, _) in enumerate(following[0].top)}
        return NextToken(logprobs, (1, 2, 3), len(continued), names)

    def score_reply(self, model, messages, reply, top=8):
        pieces = [piece for piece in reply.replace(" ", "\0 ").split("\0") if piece]
        tokens = [ScoredToken(len(p), p, p.encode(), self.scores.get(model, HALF), 0.0, []) for p in pieces]
        return SimpleNamespace(tokens=tokens)

    score_continuation = score_reply

    def warm(self, model):
        pass
