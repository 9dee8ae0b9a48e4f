"""The model process from inside: routes over HTTP on this machine, with a tiny model."""

import json
import math
import shutil
import threading
import time
from contextlib import closing
from http.client import HTTPConnection
from itertools import groupby

import pytest
import torch

from lab.chance import keys_for
from lab.config import PretrainConfig, SamplingConfig
from lab.errors import ModelError
from lab.generate import complete
from lab.loaded_models import LoadedModels
from lab.model import load_model
from lab.model_engine import Engine
from lab.model_server import ModelServer
from lab.turns import Turns
from tests.tiny import TEXTS

SAMPLING = SamplingConfig(temperature=1.0, max_new_tokens=12, seed=3).to_json()
CHAT = [{"role": "user", "content": "Who are you?"}]


@pytest.fixture(scope="module")
def server():
    server = ModelServer("secret")
    server.engine = Engine(budget=1 << 30)
    server.ready.set()
    server.start()
    yield server
    server.shutdown()
    server.server_close()


def send(server, route, request=None, token="secret", method="POST"):
    """(status, lines of the answer as values)."""
    with closing(HTTPConnection("127.0.0.1", server.server_port, timeout=60)) as connection:
        connection.request(method, f"/{route}", json.dumps(request or {}), {"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        return response.status, [json.loads(line) for line in response.read().splitlines()]


def ask(server, route, **request):
    status, lines = send(server, route, request)
    assert status == 200, lines
    return lines


def stream(server, folder, prompt, sampling=SAMPLING, continued=(), top=2):
    """(ids of the prompt, tokens, finish)."""
    lines = ask(
        server, "stream", model=str(folder), prompt=prompt, sampling=sampling, continued=list(continued), top=top
    )
    tokens = [token for line in lines[1:-1] for token in line["tokens"]]
    return lines[0]["prompt_ids"], tokens, lines[-1]["finish"]


def test_without_the_token_nothing_is_answered(server, tiny_model):
    for token in ("", "wrong", "sécret"):
        status, answer = send(server, "load", {"model": str(tiny_model)}, token=token.encode().decode("latin-1"))
        assert status == 401
        assert "only the app" in answer[0]["error"]
    assert send(server, "health", method="GET", token="")[0] == 401


def test_health_and_unknown_routes(server):
    assert send(server, "health", method="GET") == (200, [{"ready": True}])
    assert send(server, "_get")[0] == 404
    assert send(server, "load", method="GET")[0] == 404


def test_a_copy_is_nudged_and_a_speed_measured(server, tiny_model):
    window, others = [[0, 5, 6, 7, 5, 6, 7]], [[[0, 9, 8, 7]]]
    request = {"model": str(tiny_model), "window": window, "others": others, "rate": 1e-3}
    (found,) = ask(server, "nudge", **request, steps=1, fresh=None)
    assert found["after"] < found["before"] and len(found["positions"]) == 6 and len(found["others"]) == 1
    shape = PretrainConfig(hidden_size=16, layers=1, heads=1, intermediate_size=16, context_length=32, max_length=16)
    (noise,) = ask(server, "nudge", **request, steps=0, fresh=shape.to_json())
    assert abs(noise["before"] - math.log(load_model(tiny_model).config.vocab_size)) < 0.1
    (speed,) = ask(server, "speed", model=str(tiny_model), settings=shape.to_json(), texts=TEXTS)
    assert speed["tokens_per_second"] > 0


def test_a_stream_is_what_generate_writes(server, tiny_model):
    ids, tokens, finish = stream(server, tiny_model, "The river")
    model = load_model(tiny_model).eval()
    (expected,) = complete(
        model, [ids], SamplingConfig.from_json(SAMPLING), end_ids=model.end_ids, keys=keys_for([ids])
    )
    assert [token["id"] for token in tokens] == expected.ids
    assert [token["logprob"] for token in tokens] == pytest.approx(expected.logprobs, abs=1e-5)
    assert finish == expected.finish
    assert all(len(token["top"]) == 2 and 0 <= token["coin"] < 1 for token in tokens)


def test_the_same_seed_repeats_and_another_does_not(server, tiny_model):
    first, again = (stream(server, tiny_model, "The river") for _ in range(2))
    assert first == again
    assert stream(server, tiny_model, "The river", SAMPLING | {"seed": 4})[1] != first[1]


def test_going_on_from_chosen_tokens(server, tiny_model):
    _, tokens, _ = stream(server, tiny_model, "The river")
    ids = [token["id"] for token in tokens]
    _, rest, _ = stream(server, tiny_model, "The river", SAMPLING | {"max_new_tokens": 7}, continued=ids[:5])
    assert [token["id"] for token in rest] == ids[5:]


def test_a_stop_text_ends_a_stream(server, tiny_model):
    _, tokens, _ = stream(server, tiny_model, "The river", SAMPLING | {"max_new_tokens": 40})
    text = "".join(token["text"] for token in tokens)
    stop = text[10:13]
    _, tokens, finish = stream(server, tiny_model, "The river", SAMPLING | {"max_new_tokens": 40, "stop": [stop]})
    assert finish == "stop"
    assert "".join(token["text"] for token in tokens) == text[: text.index(stop)]


def test_a_conversation_is_written_with_the_chat_template(server, tiny_model):
    (answer,) = ask(server, "prompt", model=str(tiny_model), prompt=CHAT)
    assert [token["text"] for token in answer["tokens"] if token["special"]] == [
        "<|document|>",
        "<|user|>",
        "<|assistant|>",
    ]
    assert "".join(token["text"] for token in answer["tokens"] if not token["special"]) == "Who are you?"
    assert stream(server, tiny_model, CHAT)[0] == [token["id"] for token in answer["tokens"]]


def test_control_tokens_in_a_text_stay_text(server, tiny_model):
    (answer,) = ask(server, "prompt", model=str(tiny_model), prompt="<|end|>")
    assert [token["special"] for token in answer["tokens"]] == [True] + [False] * (len(answer["tokens"]) - 1)
    assert "".join(token["text"] for token in answer["tokens"][1:]) == "<|end|>"


def test_many_prompts_at_once_equal_one_by_one(server, tiny_model, monkeypatch):
    monkeypatch.setattr("lab.model_engine.ROWS_AT_ONCE", 3)
    prompts = ["The river", CHAT, "What is 12", "The river", "x"]
    lines = ask(server, "complete", model=str(tiny_model), prompts=prompts, sampling=SAMPLING, top=0)
    completions = lines[-1]["completions"]
    for number in (0, 1, 2, 4):
        ids, tokens, finish = stream(server, tiny_model, prompts[number], top=0)
        assert (completions[number]["prompt_ids"], completions[number]["finish"]) == (ids, finish)
        assert [token["text"] for token in completions[number]["tokens"]] == [token["text"] for token in tokens]
    assert completions[3]["prompt_ids"] == completions[0]["prompt_ids"]
    assert completions[3]["tokens"] != completions[0]["tokens"]


def test_next_tokens_and_scores_equal_a_plain_forward(server, tiny_model):
    model = load_model(tiny_model).eval()
    (prompt,) = ask(server, "prompt", model=str(tiny_model), prompt="Mira lives in Oslo")
    ids = [token["id"] for token in prompt["tokens"]]
    with torch.no_grad():
        logp = model.logits(torch.tensor([ids]))[0].log_softmax(-1)
    (answer,) = ask(server, "next", model=str(tiny_model), prompt="Mira lives in Oslo", continued=[], top=5)
    assert [row[0] for row in answer["top"]] == logp[-1].topk(5).indices.tolist()
    assert [row[2] for row in answer["top"]] == pytest.approx(logp[-1].topk(5).values.tolist(), abs=1e-5)
    (answer,) = ask(server, "score", model=str(tiny_model), prompt="", reply="Mira lives in Oslo", top=0)
    expected = logp[torch.arange(len(ids) - 1), ids[1:]].tolist()
    assert [token["logprob"] for token in answer["tokens"]] == pytest.approx(expected, abs=1e-5)
    assert "".join(token["text"] for token in answer["tokens"]) == "Mira lives in Oslo"
    assert answer["bytes"] == len("Mira lives in Oslo")


def test_a_reply_is_scored_with_its_end_and_equally_as_ids(server, tiny_model):
    (answer,) = ask(server, "score", model=str(tiny_model), prompt=CHAT, reply="I am.", top=1)
    tokens = answer["tokens"]
    assert "".join(token["text"] for token in tokens) == "I am.<|end|>"
    assert tokens[-1]["special"]
    assert answer["bytes"] == len("I am.")
    ids = [token["id"] for token in tokens]
    (again,) = ask(server, "score", model=str(tiny_model), prompt=CHAT, reply=ids, top=1)
    assert again == answer


def test_a_first_token_that_nothing_precedes_has_no_probability(server, tiny_model, tmp_path):
    folder = tmp_path / "no-start"
    shutil.copytree(tiny_model, folder)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config.pop("bos_token")
    config["chat_template"] = config["chat_template"].replace("{{ bos_token }}", "")
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (answer,) = ask(server, "score", model=str(folder), prompt="", reply="Mira lives", top=3)
    first, *rest = answer["tokens"]
    assert first["logprob"] is None and first["top"] == []
    assert all(token["logprob"] < 0 for token in rest)
    assert answer["bytes"] == len("Mira lives") - len(first["text"])
    (answer,) = ask(server, "score", model=str(folder), prompt="", reply="", top=3)
    assert answer == {"tokens": [], "bytes": 0}


def test_errors_are_sentences_with_their_kind(server, tiny_model, tmp_path):
    status, (answer,) = send(server, "load", {"model": str(tmp_path / "nothing")})
    assert (status, answer["kind"]) == (400, "ModelError")
    assert "config.json" in answer["error"]
    long = {"model": str(tiny_model), "prompt": "word " * 300, "sampling": SAMPLING, "continued": [], "top": 0}
    status, lines = send(server, "stream", long)
    assert "256 at most" in lines[-1]["error"]
    status, (answer,) = send(server, "next", {"model": str(tiny_model)})
    assert (status, answer["kind"]) == (400, "bug")


def test_too_little_memory_is_said(server, tiny_model, monkeypatch):
    def full(*args, **kwargs):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("lab.model.load_model", full)
    ask(server, "unload", model=str(tiny_model))
    status, (answer,) = send(server, "load", {"model": str(tiny_model)})
    assert (status, answer["kind"]) == (400, "ModelError")
    assert "not enough memory to load" in answer["error"]


def test_hanging_up_stops_the_writing_within_two_tokens(server, tiny_model, monkeypatch):
    made = []

    def slow(*args, **kwargs):
        for steps in plain(*args, **kwargs):
            time.sleep(0.05)
            made.append(steps)
            yield steps

    import lab.model_engine

    plain = lab.model_engine.generate
    monkeypatch.setattr("lab.model_engine.generate", slow)
    request = {"model": str(tiny_model), "prompt": "x", "continued": [], "top": 0}
    request["sampling"] = SAMPLING | {"max_new_tokens": 100, "temperature": 1.0}
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    connection.request("POST", "/stream", json.dumps(request), {"Authorization": "Bearer secret"})
    response = connection.getresponse()
    for _ in range(4):
        response.readline()
    seen = len(made)
    response.close()
    connection.close()
    time.sleep(0.6)
    assert seen <= len(made) <= seen + 2


def test_two_streams_share_the_processor_fairly(server, tiny_model, monkeypatch):
    order = []

    def noted(model, prompts, *args, **kwargs):
        for steps in plain(model, prompts, *args, **kwargs):
            order.append(len(prompts[0]))
            time.sleep(0.005)
            yield steps

    import lab.model_engine

    plain = lab.model_engine.generate
    monkeypatch.setattr("lab.model_engine.generate", noted)
    sampling = SAMPLING | {"max_new_tokens": 40}
    prompts = ["x", "a longer prompt"]
    threads = [threading.Thread(target=stream, args=(server, tiny_model, prompt, sampling)) for prompt in prompts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    started = max(order.index(length) for length in set(order))
    ended = min(len(order) - 1 - order[::-1].index(length) for length in set(order))
    both = order[started : ended + 1]
    assert len(set(order)) == 2
    assert len(both) > 20  # most of the time both were at work, and then
    assert max(len(list(run)) for _, run in groupby(both)) <= 3  # they took turns


def test_turns_go_to_who_has_waited_longest():
    turns, order = Turns(), []

    def work(name):
        for _ in range(20):
            with turns.turn():
                order.append(name)
                time.sleep(0.002)

    with turns.turn():
        threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
        for thread in threads:
            thread.start()
        time.sleep(0.05)
    for thread in threads:
        thread.join(10)
    rounds = ["".join(sorted(order[n : n + 3])) for n in range(0, 60, 3)]
    assert rounds == ["abc"] * 20


def test_models_within_the_memory_budget(tiny_model, tmp_path):
    folders = [shutil.copytree(tiny_model, tmp_path / name) for name in "abc"]
    size = LoadedModels(1 << 30).get(folders[0]).size
    models = LoadedModels(int(2.5 * size))

    def held():
        return [about["folder"][-1] for about in models.about()]

    first = models.get(folders[0])
    models.get(folders[1])
    assert models.get(folders[0]) is first
    models.get(folders[2])
    assert held() == ["a", "c"]  # b was unused longest
    (folders[0] / "model.safetensors").touch()
    assert models.get(folders[0]) is not first
    models.forget(folders[2])
    assert held() == ["a"]
    assert LoadedModels(1).get(folders[1]).size == size  # too large for the budget, and all that is asked for


def test_a_model_that_cannot_be_loaded_can_be_asked_for_again(tiny_model, tmp_path):
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    content = (folder / "model.safetensors").read_bytes()
    models = LoadedModels(1 << 30)
    (folder / "model.safetensors").write_bytes(content[:1000])
    with pytest.raises(ModelError, match="cannot be read"):
        models.get(folder)
    (folder / "model.safetensors").write_bytes(content)
    assert models.get(folder).size > 0


def test_only_a_gpu_is_given_up(tiny_model, monkeypatch):
    from lab.model_engine import Engine

    engine, emptied = Engine(1 << 30), []
    monkeypatch.setattr("torch.cuda.empty_cache", lambda: emptied.append(1))
    engine.load({"model": str(tiny_model)})
    engine.give_up({})
    assert len(engine.models({})["models"]) == 1 and not emptied
    engine._device = "cuda"
    engine.give_up({})
    assert engine.models({})["models"] == [] and emptied
