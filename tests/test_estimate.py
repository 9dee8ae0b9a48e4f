"""What a run will need, said before it starts: arithmetic by hand, and real runs beside it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lab.config import LoRAConfig, SFTConfig
from lab.errors import ModelError
from lab.estimate import PROCESS, Shape, estimate, fitting, in_words, memory
from lab.machine import Machine, this_machine
from lab.run_dir import RunDir, write_jsonl
from tests.tiny import make_tiny_model

ROOT = Path(__file__).resolve().parent.parent
SEVEN = Shape(
    parameters=7_000_000_000,
    layers=32,
    width=4096,
    inner=11008,
    queries=4096,
    keys=4096,
    vocab=32000,
    gates=2,
    ours=True,
)
GIB = 1 << 30


def test_the_shape_is_read_from_the_folder(tiny_model, tmp_path):
    shape = Shape.of(tiny_model)
    assert (shape.layers, shape.width, shape.inner, shape.queries, shape.keys, shape.ours) == (2, 32, 48, 32, 16, True)
    # 320 tokens × 32, twice 32·(32 + 16 + 16 + 32) + 3·32·48 + 2·32, and the last norm
    assert shape.parameters == 320 * 32 + 2 * (32 * 96 + 3 * 32 * 48 + 64) + 32
    assert shape.matrices == 32 * 96 + 3 * 32 * 48
    gpt2 = tmp_path / "gpt2"
    gpt2.mkdir()
    (gpt2 / "config.json").write_text(json.dumps({"model_type": "gpt2", "n_embd": 64, "n_layer": 3, "n_head": 4}))
    assert (Shape.of(gpt2).inner, Shape.of(gpt2).gates, Shape.of(gpt2).ours) == (256, 1, False)
    (gpt2 / "config.json").write_text("{")
    with pytest.raises(ModelError):
        Shape.of(gpt2)


def test_weights_gradients_and_averages_are_counted():
    short = SFTConfig(batch_size=1, max_length=8)
    full, lora = memory(SEVEN, short, [8], 1), memory(SEVEN, short.replace(lora=LoRAConfig(r=8)), [8], 1)
    assert 16 * 7e9 < full - PROCESS < 19 * 7e9  # some matrices lie beside copies of themselves during a step
    assert 4 * 7e9 < lora - PROCESS < 4.3 * 7e9
    quantized = memory(SEVEN, short.replace(lora=LoRAConfig(quantize="4bit")), [8], 1)
    assert 0.5 * 7e9 < quantized - PROCESS < 0.8 * 7e9


def test_what_makes_it_smaller():
    config = SFTConfig(batch_size=16, max_length=512)
    whole = memory(SEVEN, config, [512], 0.5)
    assert memory(SEVEN, config.replace(gradient_accumulation=4), [512], 0.5) < whole
    assert memory(SEVEN, config.replace(gradient_checkpointing=True), [512], 0.5) < whole
    assert memory(SEVEN, config.replace(max_length=256), [512], 0.5) < whole


def test_settings_that_do_not_fit_come_with_ones_that_do():
    config = SFTConfig(batch_size=16, max_length=512)
    for available, expected in (
        (400, {"lora": None, "gradient_checkpointing": False, "max_length": 512}),
        (130, {"gradient_accumulation": 16, "lora": None, "gradient_checkpointing": True, "max_length": 512}),
        (40, {"lora": LoRAConfig(), "max_length": 512}),
    ):
        found = fitting(SEVEN, config, [512], 0.5, available * GIB)
        assert memory(SEVEN, found, [512], 0.5) <= 0.9 * available * GIB
        assert {name: getattr(found, name) for name in expected} == expected
    assert fitting(SEVEN, config, [512], 0.5, 8 * GIB) is None


def test_the_estimate_in_words():
    config = SFTConfig(batch_size=16, max_length=512)
    words = in_words(estimate(SEVEN, config, [512], 0.5, Machine(40 * GIB)), config)
    assert words.startswith("Needs about ") and "(42.9 GB free): that will not fit. This would: LoRA, grad" in words
    assert "Take a smaller model" in in_words(estimate(SEVEN, config, [512], 0.5, Machine(GIB)), config)
    fits = estimate(SEVEN, config, [512], 0.5, Machine(500 * GIB))
    assert fits.fits and fits.seconds is None and in_words(fits, config).endswith("free).")


def test_a_machine_is_measured_once(tmp_path):
    asked = []

    def measure():
        asked.append(1)
        return {"products": {"128": 1e9, "1024": 4e9}, "bytes_per_second": 1e9, "device": "cpu", "memory": 0}

    for _ in range(2):
        machine = this_machine(tmp_path, measure)
        assert machine.rate(900) == 4e9 and machine.rate(10) == 1e9 and machine.memory > 0
    assert len(asked) == 1
    assert this_machine(tmp_path / "elsewhere").rate(512) == 0
    (tmp_path / "machine.json").write_text(json.dumps({"of": "another", "products": {"1": 1}}))
    this_machine(tmp_path, measure)
    assert len(asked) == 2


# --- against real runs ---

CHILD = """
import sys, time
time.perf_counter = time.process_time  # what else runs on this machine must not count
from lab.worker import main
code = main(sys.argv[-1])
print([line for line in open("/proc/self/status") if "VmHWM" in line][0].split()[1], code)
"""
MEASURE = """
import json, time
time.perf_counter = time.process_time
from lab.machine_rates import rates
print(json.dumps(rates("cpu")))
"""


def transformers_model(folder, tokenizer_from, **shape):
    import transformers

    from lab.model import copy_tokenizer

    config = transformers.AutoConfig.for_model(**shape, bos_token_id=0, eos_token_id=4)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    copy_tokenizer(tokenizer_from, folder)
    return folder


def shapes(tmp_path, tiny_model):
    wide = {"vocab_size": 4096, "hidden_size": 320, "intermediate_size": 864, "context_length": 512}
    ours = make_tiny_model(tmp_path / "ours", layers=6, heads=5, kv_heads=5, head_size=64, **wide)
    gpt2 = {"model_type": "gpt2", "vocab_size": 8000, "n_embd": 256, "n_layer": 4, "n_head": 4, "n_positions": 512}
    return {
        "ours": (ours, SFTConfig(batch_size=12, max_length=256)),
        "ours, LoRA": (ours, SFTConfig(batch_size=16, max_length=384, gradient_accumulation=2, lora=LoRAConfig())),
        "gpt2": (transformers_model(tmp_path / "gpt2", tiny_model, **gpt2), SFTConfig(batch_size=8, max_length=256)),
    }


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the largest size from /proc")
def test_memory_and_time_are_within_a_third_of_real_runs(tiny_model, tmp_path):
    def ask(*command):
        environment = {"PYTHONPATH": str(ROOT), "PATH": "", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, "-c", *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    rates = json.loads(ask(MEASURE))
    machine = Machine(64 * GIB, {int(w): r for w, r in rates["products"].items()}, rates["bytes_per_second"])
    report = {}
    for name, (folder, settings) in shapes(tmp_path, tiny_model).items():
        from lab.chat_template import ChatTemplate

        template = ChatTemplate.from_folder(folder)
        text = "The river runs through the capital of the country. "
        rows = []
        for number in range(40):
            reply = {"role": "assistant", "content": text * (settings.max_length // 24 + number % 4)}
            rows.append({"messages": [{"role": "user", "content": "What is it?"}, reply]})
        encoded = [template.encode([*row["messages"]]) for row in rows]
        learned = sum(sum(e.loss_mask[: settings.max_length]) for e in encoded)
        learned /= sum(min(e.length, settings.max_length) for e in encoded)
        config = settings.replace(max_steps=5, device="cpu", eval_every=0, sample_every=0, checkpoint_every=3)
        run = RunDir.create(tmp_path / "runs", config, {"model_folder": str(folder), "resume": False})
        write_jsonl(run.data / "train.jsonl", rows)
        write_jsonl(run.data / "heldout.jsonl", [])
        peak, code = ask(CHILD, str(run.path)).split()[-2:]
        assert code == "0"
        events = [json.loads(line) for line in run.events.read_text().splitlines()]
        metrics = [event["values"] for event in events if event["type"] == "metrics"]
        step = sorted(m["tokens"] / (n + 1) / m["tokens_per_second"] for n, m in enumerate(metrics[1:], 1))[1]
        found = estimate(Shape.of(folder), config, [e.length for e in encoded], learned, machine)
        report[name] = (found.memory / (int(peak) * 1024), found.seconds_per_step / step, int(peak) / 1024, step)
    print(report)
    assert all(0.7 < ratio < 1.3 for ratio, _, _, _ in report.values()), report
    assert all(0.7 < ratio < 1.3 for _, ratio, _, _ in report.values()), report
