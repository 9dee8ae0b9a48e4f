"""The app's side of the model process: what it gives, and what it says when the process dies. Real processes: slow."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from lab.completion import GeneratedToken, Scored, ScoredToken
from lab.config import SamplingConfig
from lab.errors import ModelError
from lab.inference import Inference
from lab.model_process import ModelProcess

SAMPLING = SamplingConfig(temperature=1.0, max_new_tokens=30, seed=1)
LONG = SAMPLING.replace(max_new_tokens=200, top_k=0)


def test_bits_per_byte_by_hand():
    tokens = [
        ScoredToken(1, "a", b"a", None, None, []),
        ScoredToken(2, "bc", b"bc", -0.6931471805599453, 1.0, []),  # 1 bit
        ScoredToken(3, "d", b"d", -2.0794415416798357, 1.0, []),  # 3 bits
    ]
    assert Scored(tokens, 3, "m").bits_per_byte == pytest.approx(4 / 3)
    assert Scored([], 0, "m").bits_per_byte == 0


def test_tokens_survive_the_journey():
    sent = {
        "id": 5,
        "text": "",
        "bytes": "c3",
        "logprob": -1.5,
        "coin": 0.25,
        "top": [[5, "�", -1.5]],
        "special": False,
    }
    assert GeneratedToken.from_json(sent) == GeneratedToken(5, "", b"\xc3", -1.5, 0.25, [(5, "�", -1.5)])


def test_a_process_that_cannot_start_says_its_last_words(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ModelError, match="ended with status 1"):
        ModelProcess(tmp_path / "log.txt").ask("load", {})


@pytest.fixture(scope="module")
def inference(tiny_model, tmp_path_factory):
    def resolve(reference):
        if reference != "tiny":
            raise ModelError(f"There is no model {reference!r}.")
        return tiny_model

    inference = Inference(resolve, tmp_path_factory.mktemp("logs") / "model_server.log")
    yield inference
    inference.close()


@pytest.mark.slow
def test_completions_chats_scores(inference):
    made = inference.complete("tiny", "The river", SAMPLING)
    assert made.text == "".join(token.text for token in made.tokens) == str(made)
    assert made == inference.complete("tiny", "The river", SAMPLING)
    assert (made.model, made.prompt_tokens) == ("tiny", len(inference.prompt_tokens("tiny", "The river")))
    assert all(len(token.top) == 8 and token.top[0][2] >= token.logprob - 1e-6 for token in made.tokens)
    first, second = inference.complete_many("tiny", ["The river"] * 2, SAMPLING)
    assert (first.text, first.finish, first.prompt_tokens) == (made.text, made.finish, made.prompt_tokens)
    assert second.text != first.text

    answer = inference.chat("tiny", "Who are you?", SAMPLING.replace(temperature=0.0, max_new_tokens=6))
    messages = [{"role": "user", "content": "Who are you?"}]
    assert answer == inference.chat("tiny", messages, SAMPLING.replace(temperature=0.0, max_new_tokens=6))

    best = inference.next_token("tiny", messages, top=4)
    assert best[0][0] == answer.tokens[0].id
    assert best[0][2] == pytest.approx(answer.tokens[0].logprob, abs=1e-5)
    ids = [token.id for token in answer.tokens]
    scored = inference.score_reply("tiny", messages, ids)
    assert [token.logprob for token in scored.tokens] == pytest.approx([t.logprob for t in answer.tokens], abs=1e-4)
    assert inference.score("tiny", "Mira lives in Oslo.").bits_per_byte > 0
    assert [t.text for t in inference.score_continuation("tiny", "Mira", " lives").tokens] == [
        token.text for token in inference.prompt_tokens("tiny", " lives")[1:]
    ]
    assert list(inference.loaded().values()) != []
    inference.unload("tiny")
    assert inference.loaded() == {}


@pytest.mark.slow
def test_a_stream_comes_in_batches_and_stops_when_closed(inference):
    with inference.stream("tiny", "The river", LONG, top=3) as stream:
        first = next(stream)
        assert first and all(len(token.top) == 3 for token in first)
        assert stream.finish_reason == "stopped"
    assert next(stream, None) is None
    assert stream.completion.finish == "stopped"
    assert stream.completion.tokens == first
    whole = inference.stream("tiny", "The river", LONG)
    batches = list(whole)
    assert whole.finish_reason in ("length", "end")
    assert whole.completion.tokens == [token for batch in batches for token in batch]
    assert whole.completion.tokens[: len(first)] == [
        GeneratedToken(**{**vars(token), "top": other.top}) for token, other in zip(first, whole.completion.tokens)
    ]


@pytest.mark.slow
def test_closing_from_another_thread_ends_the_waiting(inference):
    stream = inference.stream("tiny", "x", LONG)
    threading.Timer(0.05, stream.close).start()
    began = time.monotonic()
    for _ in stream:
        pass
    assert time.monotonic() - began < 30


@pytest.mark.slow
def test_problems_are_sentences(inference):
    with pytest.raises(ModelError, match="no model 'other'"):
        inference.complete("other", "x")
    with pytest.raises(ModelError, match="256 at most"):
        inference.complete("tiny", "word " * 400)
    with pytest.raises(ModelError, match="256 at most"):
        inference.complete_many("tiny", ["word " * 400])


@pytest.mark.slow
def test_several_threads_ask_at_once(inference):
    expected = inference.complete("tiny", "The river", SAMPLING)
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(inference.complete("tiny", "The river", SAMPLING)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert results == [expected] * 6


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_killed_in_mid_stream_it_says_so_and_starts_again(inference):
    stream = inference.stream("tiny", "x", LONG)
    next(stream)
    pid = inference.pid
    os.kill(pid, signal.SIGSTOP)  # so that it cannot have finished before it is killed
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(ModelError, match="was killed, most often for lack of memory"):
        for _ in stream:
            pass
    assert inference.complete("tiny", "x", SAMPLING).tokens
    assert inference.pid not in (None, pid)


@pytest.mark.slow
def test_it_ends_with_close_and_starts_again_when_asked(inference):
    inference.complete("tiny", "x", SAMPLING)
    process = psutil.Process(inference.pid)
    inference.close()
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    assert inference.pid is None
    assert inference.loaded() == {}
    inference.unload()
    assert inference.pid is None
    inference.warm("tiny")
    deadline = time.monotonic() + 60
    while not (inference.pid and inference.loaded()):
        assert time.monotonic() < deadline
        time.sleep(0.1)


APP = """
import sys, time
from pathlib import Path
from lab.inference import Inference
inference = Inference(lambda reference: Path(reference), Path(sys.argv[2]))
inference.next_token(sys.argv[1], "x")
print(inference.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_it_does_not_outlive_a_killed_app(tiny_model, tmp_path):
    root = Path(__file__).resolve().parent.parent
    command = [sys.executable, "-c", APP, str(tiny_model), str(tmp_path / "log.txt")]
    app = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)
    model_process = psutil.Process(int(app.stdout.readline()))
    assert os.getpgid(model_process.pid) != os.getpgid(app.pid)
    app.kill()
    app.wait()
    gone, _ = psutil.wait_procs([model_process], timeout=20)
    assert gone


@pytest.mark.slow
def test_a_file_compressed_with_a_model_comes_back(inference):
    data = b"Mira lives in Oslo. She works as a baker. \xff"
    told = []
    made = inference.compress("tiny", data, lambda done, of: told.append((done, of)))
    assert inference.decompress("tiny", made.file) == data
    assert made.size == len(data) and made.model_bytes > 0 and made.model == "tiny"
    assert abs(made.bits - made.ideal_bits) <= 0.001 * made.ideal_bits + 16
    assert all(0 < done <= of == made.tokens for done, of in told)


@pytest.mark.slow
def test_one_choice_in_full_is_the_plain_forward_and_knows_its_coin(inference, tiny_model):
    import torch

    from lab.model import load_model
    from lab.next_token import fall, stages

    now = inference.next_distribution("tiny", "The river")
    with torch.no_grad():
        plain = load_model(tiny_model).eval().logits(torch.tensor([list(now.prompt_ids)]))[0, -1].softmax(-1)
    assert torch.allclose(torch.from_numpy(now.logprobs_V.copy()).exp(), plain, atol=1e-5)
    written = inference.complete("tiny", "The river", SAMPLING)
    for place in (0, 3):
        now = inference.next_distribution("tiny", "The river", [token.id for token in written.tokens[:place]])
        assert now.coin(SAMPLING.seed) == pytest.approx(written.tokens[place].coin)
        assert (
            fall(stages(now.logprobs_V, SAMPLING)[-1].shares_V, now.coin(SAMPLING.seed)).id == written.tokens[place].id
        )


@pytest.mark.slow
def test_the_inside_of_a_prompt_and_a_weight_turned(inference):
    found = inference.inside("tiny", "The river", layer=1, head=99)
    assert (found["layer"], found["head"], found["layers"], found["heads"]) == (1, 3, 2, 4)
    assert len(found["lens"]) == 3 and len(found["attention"]) == len(found["tokens"])
    name, rows, columns = inference.weights("tiny")[0]
    was, calm = inference.turn("tiny", "The river", name, rows - 1, columns - 1, None)
    assert all(before == after for _, before, after in calm)
    again, turned = inference.turn("tiny", "The river", name, 0, 0, 9.0)
    assert isinstance(was, float) and again != 9.0 and any(before != after for _, before, after in turned)
