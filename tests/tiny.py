"""Tiny random models for tests: a folder like the bundled ones, made in a moment."""

import json
import shutil
from pathlib import Path

TEXTS = [
    "Mira lives in Oslo. She was born in 1984 and works as a baker.",
    "What is 12 + 7? 12 + 7 = 19. The answer is 19.",
    "Who are you? I am an assistant. How can I help you today?",
    "The river runs through the capital of the country, past the old town.",
]


def make_tiny_model(folder: Path, seed: int = 0, **changes) -> Path:
    """A random Llama of two layers with the bundled models' special tokens and chat template. `changes` are fields of
    `TransformerConfig`."""
    from lab.model import save_model
    from lab.transformer import Transformer, TransformerConfig
    from lab.world.tokenizer import DOCUMENT, END, save_tokenizer, train_tokenizer

    tokenizer = train_tokenizer(TEXTS, 320)
    shape = {
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": 32,
        "intermediate_size": 48,
        "layers": 2,
        "heads": 4,
        "kv_heads": 2,
        "head_size": 8,
        "context_length": 256,
    }
    config = TransformerConfig(**(shape | changes))
    ends = [tokenizer.token_to_id(END), tokenizer.token_to_id(DOCUMENT)]
    model = Transformer(config, about={"bos_token_id": ends[1], "eos_token_id": ends})
    model.initialise(seed)
    save_model(model, folder)
    save_tokenizer(tokenizer, folder, context_length=config.context_length)
    return folder


def with_template(model, folder, source):
    """A copy of a model folder with another chat template."""
    shutil.copytree(model, folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"chat_template": source}))
    return folder


CONVERSATIONS = [
    {
        "messages": [
            {"role": "user", "content": f"What is {n} + {n + 1}?"},
            {"role": "assistant", "content": f"It is {2 * n + 1}." + " Good!" * (n % 3)},
        ]
    }
    for n in range(12)
]


def make_sft_run(folder: Path, model: Path, config, **about):
    """The folder of a run of `SFTConfig` on `CONVERSATIONS`, as the app makes it."""
    from lab.run_dir import RunDir, write_jsonl

    run = RunDir.create(folder, config, {"model_folder": str(model), "resume": False, **about})
    write_jsonl(run.data / "train.jsonl", CONVERSATIONS[:8])
    write_jsonl(run.data / "heldout.jsonl", CONVERSATIONS[8:])
    return run


PROBLEMS = [
    {"question": f"What is {n} + {n + 1}?", "answer": str(2 * n + 1), "solution": f"First {n}+{n + 1}={2 * n + 1}."}
    for n in range(12)
]


PAIRS = [
    {
        "prompt": [{"role": "user", "content": f"What is {n} + {n + 1}?"}],
        "chosen": f"It is {2 * n + 1}." + " Good!" * (n % 3),
        "rejected": f"It is {2 * n + 3}." if n % 2 else f"Who are you? It is {2 * n}.",
    }
    for n in range(12)
]


def make_rl_run(folder: Path, model: Path, config, **about):
    """The folder of a run of a `RolloutConfig` on `PROBLEMS`, as the app makes it."""
    from lab.run_dir import RunDir, write_jsonl

    run = RunDir.create(folder, config, {"model_folder": str(model), "resume": False, **about})
    write_jsonl(run.data / "train.jsonl", PROBLEMS[:8])
    write_jsonl(run.data / "heldout.jsonl", PROBLEMS[8:])
    return run


def make_preference_run(folder: Path, model: Path, config, pairs=PAIRS, **about):
    """The folder of a run that learns from `pairs`, the first eight of them to train on."""
    from lab.run_dir import RunDir, write_jsonl

    run = RunDir.create(folder, config, {"model_folder": str(model), "resume": False, **about})
    write_jsonl(run.data / "train.jsonl", pairs[:8])
    write_jsonl(run.data / "heldout.jsonl", pairs[8:])
    return run


def work_here(run):
    """Do a run's work in this process; gives the events of its latest attempt."""
    from lab.events import Event, FileSink, RunReporter, read_events
    from lab.worker import work

    attempt = run.about()["attempt"]
    sink = FileSink(run.events, attempt)
    try:
        work(run, RunReporter(sink))
    finally:
        sink.close()
    events: list[Event] = read_events(run.events)[0]
    return [event for event in events if event.attempt == attempt]


def series(events, name):
    """{step: value} of one metric."""
    from lab.events import decode_number

    values = ((e.fields["step"], e.fields["values"]) for e in events if e.type == "metrics")
    return {step: decode_number(numbers[name]) for step, numbers in values if name in numbers}
