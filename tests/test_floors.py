"""The house: who may import whom (DESIGN), and what each process does not load."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

FLOORS = [
    [
        "errors",
        "config",
        "conversation",
        "preference",
        "problem",
        "intervals",
        "events",
        "run_dir",
        "file_lock",
        "run_state",
        "document",
    ],
    [
        "tokenizer",
        "tokenizer_folder",
        "vocabulary",
        "machine",
        "token_rows",
        "tiktoken_ranks",
        "template_marks",
        "template_sandbox",
        "readers",
        "model_folder",
        "model_parts",
        "token_study",
        "file_sizes",
        "languages",
        "few_shot",
        "regurgitation",
        "merging",
        "next_token",
        "chat_template",
        "checks",
        "transformer",
        "ops",
        "logprobs",
        "generate",
        "model",
        "arithmetic_coding",
        "insides",
        "sorter",
        "transformers_model",
        "transformers_reward",
        "causal_lm",
    ],
    [
        "tools",
        "batching",
        "preference_batching",
        "scalar_head",
        "loaded_models",
        "compression",
        "windows",
        "pretrain_forecast",
        "text_sources",
        "estimate",
        "rewards",
        "rollout",
        "rollout_record",
    ],
    [
        "history",
        "index",
        "index_rows",
        "curves",
        "schema",
        "hub",
        "hub_file",
        "guarded_sql",
        "journal",
        "launcher",
        "agreement",
        "algorithms",
    ],
    [
        "runs",
        "run",
        "supervisor",
        "ingest",
        "datasets",
        "dataset_store",
        "dataset_import",
        "builtin_datasets",
        "inspection",
        "models",
        "kept_models",
        "model_card",
        "model_export",
        "model_keeping",
        "labeling",
        "corpus",
        "arena",
        "inference",
        "probes",
        "outcomes",
        "branches",
        "reward_report",
        "comparison",
        "comparison_page",
        "saved_comparisons",
        "worker",
        "model_server",
        "one_nudge",
        "training_speed",
        "model_engine",
        "model_studies",
        "machine_rates",
    ],
    ["workspace", "experiments"],
]
"""From the ground up. A package counts as one with its name (lab/readers/… as `readers`)."""

APP = {
    *("kept_models", "model_keeping", "model_card", "model_export", "model_parts"),
    *("workspace", "runs", "ingest", "datasets", "models", "labeling", "corpus", "arena", "inference", "probes"),
    *(
        "history",
        "launcher",
        "agreement",
        "experiments",
        "journal",
        "comparison",
        "comparison_page",
        "saved_comparisons",
        "schema",
        "index",
        "index_rows",
        "curves",
        "guarded_sql",
        "supervisor",
        "outcomes",
        "next_token",
        "file_sizes",
        "merging",
        "few_shot",
        "regurgitation",
        "branches",
        "reward_report",
    ),
}
TORCH_SIDE = {
    *("worker", "model_server", "algorithms", "batching", "rollout", "transformer", "ops", "model"),
    *("logprobs", "generate", "compression", "checkpoint", "optimizers", "one_nudge", "training_speed"),
    *("loaded_models", "model_studies", "model_engine", "insides", "sorter"),
    *("rollout_record", "rl", "actor_critic", "exam"),
    "machine_rates",
    *("merge_model", "preference_batching", "scalar_head", "transformers_reward"),
}
HEAVY = {"torch", "transformers", "accelerate", "peft", "trl"}


def modules(folder):
    return sorted(path for path in (ROOT / folder).rglob("*.py") if path.name != "__init__.py" or folder != "lab")


def imports(path, late=True):
    """Dotted names a file imports; without `late`, only those at its top level (TYPE_CHECKING left out)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree) if late else tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def part(path):
    """The name under `lab/` that a file belongs to."""
    inside = path.relative_to(ROOT / "lab").parts
    return inside[0].removesuffix(".py")


def lab_parts(path, late=True):
    names = {name.split(".")[1] for name in imports(path, late) if name.startswith("lab.")}
    return names - {part(path)}


def test_lab_never_imports_ui():
    for path in modules("lab"):
        assert not {name for name in imports(path) if name.split(".")[0] in {"ui", "gradio"}}, path


def test_a_file_imports_only_from_its_floor_or_below():
    floor = {name: level for level, names in enumerate(FLOORS) for name in names}
    for path in modules("lab"):
        if part(path) in floor:
            higher = {name for name in lab_parts(path) if floor.get(name, 0) > floor[part(path)]}
            assert not higher, f"{path.name} is on floor {floor[part(path)]} and imports {higher}"


def test_the_apps_column_does_not_touch_the_training_column():
    for path in modules("lab"):
        if part(path) in APP:
            assert not lab_parts(path) & TORCH_SIDE, path
            assert not {name.split(".")[0] for name in imports(path)} & HEAVY, path


def test_the_training_column_does_not_touch_the_apps_column():
    for path in modules("lab"):
        if part(path) in TORCH_SIDE:
            assert not lab_parts(path) & APP, path
            assert not {name.split(".")[0] for name in imports(path)} & {"duckdb", "gradio"}, path


def test_the_ground_floor_needs_only_the_standard_library():
    for path in modules("lab"):
        if part(path) in FLOORS[0]:
            outside = {name.split(".")[0] for name in imports(path)} - sys.stdlib_module_names
            assert outside <= {"lab", "numpy", "orjson"}, (path, outside)


@pytest.mark.parametrize(
    ("names", "absent"),
    [
        ("lab lab.workspace lab.datasets lab.models lab.inference", "torch transformers accelerate peft gradio"),
        (
            "lab.config lab.events lab.run_dir lab.tokenizer lab.chat_template lab.rewards",
            "torch transformers duckdb gradio",
        ),
        ("ui.app", "torch transformers accelerate peft"),
        ("lab.worker.sft lab.worker.pretrain lab.worker.grpo lab.model_server", "duckdb gradio peft transformers"),
    ],
)
def test_what_a_process_does_not_load(names, absent):
    code = f"import sys, {', '.join(names.split())}; print(*sorted({set(absent.split())!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_no_template_takes_a_value():
    """Gradio's `html_template` runs what is put into it: values go in as JSON and become text nodes."""
    for path in modules("ui"):
        text = path.read_text(encoding="utf-8")
        assert "sanitize_html=False" not in text, path
        for literal in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)):
            if isinstance(literal.value, str) and "<" in literal.value:
                assert "{{" not in literal.value and "${value" not in literal.value, path


def test_nothing_in_the_project_trusts_foreign_code_or_pickles():
    for folder in ("lab", "ui"):
        for path in modules(folder):
            text = path.read_text(encoding="utf-8")
            assert "trust_remote_code=True" not in text, path
            assert "weights_only=False" not in text, path
            assert not imports(path) & {"pickle", "cloudpickle", "dill"}, path
