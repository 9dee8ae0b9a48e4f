"""One decoding loop, for a reply that is watched and for rollouts: many rows at once, each with its own end.

A prompt that several rows share is read once. Rows that have ended leave the batch. The next token of a row is where a
coin falls on its bar of probabilities, and the coin is a function of (seed, step, prompt, sample, position) alone
(`lab/chance.py`), so what a row writes does not depend on the rows beside it, but for the rounding of matrix products.
Log-probabilities are the raw model's: temperature 1, nothing filtered.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from lab.chance import Key, keys_for, row_state, uniforms
from lab.config import SamplingConfig
from lab.errors import ModelError
from lab.hf_cache import Decoder, hf_decoder
from lab.kv_cache import TransformerDecoder
from lab.sampling import Choice, choose
from lab.transformer import Transformer

Alternatives = list[tuple[int, float]]
"""Most probable tokens with their log-probabilities, the first choice first."""


class Step(NamedTuple):
    """One token of one row."""

    row: int
    id: int
    logprob: float
    coin: float
    """The uniform number that chose it (unused at temperature 0)."""
    finish: str
    """Why the row ends here: "end" (an end token), "stop" (the caller said so), "length", "context" (the window is
    full), or "" when it goes on."""
    top: Alternatives


@dataclass
class Generated:
    """What was written after one prompt, the end token included."""

    ids: list[int]
    logprobs: list[float]
    finish: str = ""


@dataclass
class _Row:
    """A row that is being written."""

    number: int
    state: int
    position: int
    room: int
    full: str
    """What the end is called when there is no room left: "length" or "context"."""
    finish: str = ""


def complete(
    model: Any,
    prompts: Sequence[Sequence[int]],
    sampling: SamplingConfig,
    *,
    end_ids: Collection[int],
    keys: Sequence[Key] | None = None,
) -> list[Generated]:
    """What follows each prompt. See `generate`."""
    results = [Generated([], []) for _ in prompts]
    for steps in generate(model, prompts, sampling, end_ids=end_ids, keys=keys):
        for step in steps:
            result = results[step.row]
            result.ids.append(step.id)
            result.logprobs.append(step.logprob)
            result.finish = step.finish
    return results


@torch.inference_mode()
def generate(
    model: Any,
    prompts: Sequence[Sequence[int]],
    sampling: SamplingConfig,
    *,
    end_ids: Collection[int],
    keys: Sequence[Key] | None = None,
    top: int = 0,
    over: Callable[[Step], bool] | None = None,
) -> Iterator[list[Step]]:
    """Write on from each prompt (token ids), and give the new tokens of all unfinished rows, one step after another.

    `model` is a `CausalLM`. `keys` say which coins each row gets; without them, coins depend on the seed, the prompt,
    and how often it stands in `prompts`. `top` asks for that many alternatives of every token. `over` is shown every
    token and says whether its row ends with it, which is how stop texts work (`lab/text_stream.py`). Closing the
    iterator stops the work. Raises `ModelError` for a prompt that does not fit.
    """
    rows = _start(model, prompts, sampling, keys)
    decoder = decoder_for(model)
    logits_RV = _prefill_once(decoder, prompts)
    while True:
        coins = uniforms(
            np.array([row.state for row in rows], dtype=np.uint64),
            np.array([row.position for row in rows], dtype=np.uint64),
        )
        choice = choose(logits_RV, sampling, torch.from_numpy(coins).to(logits_RV.device))
        tops = alternatives(logits_RV, choice.log_total_B, top)
        yield _steps(rows, choice, coins, tops, end_ids, over)
        going = [line for line, row in enumerate(rows) if not row.finish]
        if not going:
            return
        ids_R = choice.ids_B
        if len(rows) - len(going) >= len(rows) / 8:
            taken = torch.tensor(going, device=ids_R.device)
            decoder.take(taken)
            ids_R, rows = ids_R[taken], [rows[line] for line in going]
        logits_RV = decoder.step(ids_R)


def next_logits(model: Any, ids: Sequence[int]) -> Tensor:
    """Logits (V) of what follows these tokens. Raises `ModelError` for a prompt that does not fit."""
    _start(model, [ids], SamplingConfig(max_new_tokens=1), None)
    return decoder_for(model).prefill([ids])[0]


def decoder_for(model: Any) -> Decoder:
    """A decoder for a new batch of rows."""
    return TransformerDecoder(model) if isinstance(model, Transformer) else hf_decoder(getattr(model, "network", model))


def alternatives(logits_RV: Tensor, log_total_R: Tensor, top: int) -> list[Alternatives]:
    """The `top` most probable tokens of each row; nothing, at no cost, for 0."""
    if top == 0:
        return [[] for _ in logits_RV]
    best = logits_RV.float().topk(min(top, logits_RV.shape[-1]))
    logp_RK = best.values - log_total_R[:, None]
    return [list(zip(ids, logp)) for ids, logp in zip(best.indices.tolist(), logp_RK.tolist())]


def _start(
    model: Any, prompts: Sequence[Sequence[int]], sampling: SamplingConfig, keys: Sequence[Key] | None
) -> list[_Row]:
    """The rows before their first token, each with the room that the context window leaves it."""
    rows = []
    for number, (prompt, key) in enumerate(zip(prompts, keys or keys_for(prompts), strict=True)):
        window = model.context_length - len(prompt)
        if not prompt:
            raise ModelError("There is nothing to go on from: a prompt needs at least one token.")
        if window < 1:
            raise ModelError(
                f"The prompt has {len(prompt):,} tokens; this model can read {model.context_length:,} at most, "
                "its answer included. Shorten the prompt."
            )
        room, full = min((sampling.max_new_tokens, "length"), (window, "context"))
        rows.append(_Row(number, row_state(sampling.seed, key), key.position, room, full))
    return rows


def _prefill_once(decoder: Decoder, prompts: Sequence[Sequence[int]]) -> Tensor:
    """Read every different prompt once; a prompt of several rows is forked after it."""
    different = list(dict.fromkeys(map(tuple, prompts)))
    logits_PV = decoder.prefill(different)
    if len(different) == len(prompts):
        return logits_PV
    place = {prompt: number for number, prompt in enumerate(different)}
    rows = torch.tensor([place[tuple(prompt)] for prompt in prompts], device=logits_PV.device)
    decoder.take(rows)
    return logits_PV[rows]


def _steps(
    rows: list[_Row],
    choice: Choice,
    coins: np.ndarray,
    tops: list[Alternatives],
    end_ids: Collection[int],
    over: Callable[[Step], bool] | None,
) -> list[Step]:
    """The chosen tokens of the rows that had not ended; notes in each row whether it ends now."""
    steps = []
    chosen = zip(rows, choice.ids_B.tolist(), choice.logp_B.tolist(), coins.tolist(), tops, strict=True)
    for row, id, logprob, coin, top in chosen:
        if row.finish:
            continue
        row.position += 1
        row.room -= 1
        row.finish = "end" if id in end_ids else "" if row.room else row.full
        step = Step(row.number, id, logprob, coin, row.finish, top)
        if over is not None and over(step):
            row.finish = "stop"
        steps.append(step._replace(finish=row.finish))
    return steps


# --- scoring a given text --------------------------------------------------------------------------------------------


@dataclass
class Scores:
    """What a model says of each token but the first: its log-probability, the alternatives, the entropy in nats."""

    logprobs: list[float]
    entropies: list[float]
    top: list[Alternatives]


@torch.inference_mode()
def score(model: Any, ids: Sequence[int], *, top: int = 0) -> Scores:
    """How probable each token is after the ones before it.

    A text longer than the context window is read in windows that overlap by half, so that every token is predicted from
    at least half a window.
    """
    scores = Scores([], [], [])
    device = next(model.parameters()).device
    window = model.context_length
    done = 1  # tokens predicted so far, the first counted in
    while done < len(ids):
        start = 0 if done == 1 else done - window // 2
        read = torch.tensor(ids[start : start + window], device=device)
        logits_TV = model.logits(read[None])[0, done - 1 - start : -1]
        for logits_CV, targets_C in zip(logits_TV.split(256), read[done - start :].split(256), strict=True):
            logp_CV = logits_CV.float().log_softmax(-1)
            scores.logprobs += logp_CV.gather(-1, targets_C[:, None])[:, 0].tolist()
            scores.entropies += (-(logp_CV.exp() * logp_CV).nansum(-1)).tolist()
            scores.top += alternatives(logp_CV, torch.zeros(len(logp_CV), device=device), top)
        done = start + len(read)
    return scores
