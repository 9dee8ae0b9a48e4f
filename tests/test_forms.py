"""Settings classes become components, and the components' values become settings again."""

from types import SimpleNamespace

import gradio as gr
import pytest

from lab.config import LoRAConfig, OptimizerConfig, PretrainConfig, SFTConfig
from lab.errors import ConfigError, DataError
from ui.errors import shown
from ui.forms import ConfigForm, description, label

SWITCHES = {"lora": ("What to train", "all weights", "LoRA")}


@pytest.fixture(scope="module")
def form():
    with gr.Blocks():
        return ConfigForm(SFTConfig, "sft", main=["max_steps"], given=["model", "dataset"], switches=SWITCHES)


def values(form, **changes):
    shown = {name: field.value for name, field in form.fields.items()}
    return {form.fields[name]: value for name, value in (shown | changes).items()}


def test_every_field_has_a_component_with_its_documentation(form):
    expected = set(SFTConfig.help()) - {"model", "dataset", "optimizer", "algorithm", "learns_from"}
    expected |= {f"optimizer-{name}" for name in OptimizerConfig.help()} | {
        f"lora-{name}" for name in LoRAConfig.help()
    }
    assert set(form.fields) == expected
    assert form.fields["max_steps"].info == SFTConfig.help()["max_steps"]
    assert form.fields["optimizer-warmup_steps"].elem_id == "sft-optimizer-warmup_steps"


def test_an_untouched_form_gives_the_defaults(form):
    assert form.read(values(form), model="bundled:base", dataset="chats") == SFTConfig(dataset="chats")


def test_what_is_typed_arrives_with_its_type(form):
    typed = values(
        form, max_steps=30.0, learning_rate=1, sample_prompts="Hi\n\n Who are you? ", **{"optimizer-beta1": 0.5}
    )
    config = form.read(typed, dataset="chats")
    assert config.max_steps == 30 and isinstance(config.max_steps, int)
    assert config.learning_rate == 1.0 and isinstance(config.learning_rate, float)
    assert config.sample_prompts == ("Hi", "Who are you?")
    assert config.optimizer == OptimizerConfig(beta1=0.5)


def test_the_switch_decides_whether_there_is_a_lora(form):
    assert form.read(values(form, **{"lora-r": 4})).lora is None
    assert form.read(values(form, lora="LoRA", **{"lora-r": 4})).lora == LoRAConfig(r=4)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"max_steps": 0}, "max_steps"),
        ({"max_steps": None}, "max_steps"),
        ({"optimizer-beta2": 1.5}, "optimizer-beta2"),
        ({"lora": "LoRA", "lora-r": 0}, "lora-r"),
    ],
)
def test_an_impossible_value_names_its_field(form, changes, field):
    with pytest.raises(ConfigError) as caught:
        form.read(values(form, **changes))
    assert caught.value.field == field


@pytest.mark.parametrize(
    "config", [SFTConfig(max_steps=7, lora=LoRAConfig(alpha=1.0)), SFTConfig(sample_prompts=("a", "b"))]
)
def test_showing_settings_and_reading_them_gives_the_same(form, config):
    updates = form.show(config)
    typed = values(form) | updates
    assert form.read(typed, model=config.model, dataset=config.dataset) == config


def test_symbols_move_from_the_documentation_to_the_label():
    assert label(LoRAConfig, "alpha") == "Alpha, α"
    assert description(LoRAConfig, "alpha").endswith("count more.")
    assert label(OptimizerConfig, "beta1") == "β₁"
    assert label(SFTConfig, "learning_rate") == "Learning rate"


def test_a_form_for_another_algorithm_needs_nothing_new():
    with gr.Blocks():
        form = ConfigForm(PretrainConfig, "pretrain")
    assert form.read({field: field.value for field in form.fields.values()}) == PretrainConfig()


# --- errors on the page -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def parts():
    with gr.Blocks():
        return gr.HTML(), gr.Textbox()


@pytest.fixture
def at_three(monkeypatch):
    """The app's clock stands at 3."""
    monkeypatch.setattr("ui.errors.time", SimpleNamespace(monotonic=lambda: 3.0))


CLEAR = {"kind": "", "text": "", "at": 3.0}


def test_a_lab_error_becomes_a_message_beside_its_field(parts, at_three):
    notice, _ = parts

    @shown(notice, "sft")
    def fails():
        raise ConfigError("max_steps is 0: a run needs at least 1 step.", "max_steps")

    text = "max_steps is 0: a run needs at least 1 step."
    assert fails() == {notice: {"kind": "error", "text": text, "field": "sft-max_steps", "at": 3.0}}


def test_success_clears_the_message_whatever_the_callback_returns(parts, at_three):
    notice, box = parts
    assert shown(notice)(lambda: 1)() == (1, CLEAR)
    assert shown(notice)(lambda: (1, 2))() == (1, 2, CLEAR)
    assert shown(notice)(lambda: None)() == {notice: CLEAR}
    assert shown(notice)(lambda: {box: 1})() == {notice: CLEAR, box: 1}
    with gr.Blocks():
        column = gr.Column()  # a layout can be an output too
    assert shown(notice)(lambda: {column: 1})() == {notice: CLEAR, column: 1}
    assert shown(notice)(lambda: {"rows": []})() == ({"rows": []}, CLEAR)  # a value that is a dict


def test_a_stream_that_fails_keeps_what_it_gave(parts, at_three):
    notice, _ = parts

    @shown(notice)
    def stream():
        yield "a"
        raise DataError("the rest is missing.")

    error = {"kind": "error", "text": "the rest is missing.", "field": "", "at": 3.0}
    assert list(stream()) == [("a", CLEAR), {notice: error}]


def test_an_event_says_when_it_began_so_that_it_does_not_clear_a_later_message(parts, monkeypatch):
    clock = SimpleNamespace(now=1.0, monotonic=lambda: clock.now)
    monkeypatch.setattr("ui.errors.time", clock)
    notice, _ = parts

    @shown(notice)
    def slow():
        clock.now = 9.0

    assert slow() == {notice: {"kind": "", "text": "", "at": 1.0}}


def test_a_bug_stays_a_bug(parts):
    with pytest.raises(ZeroDivisionError):
        shown(parts[0])(lambda: 1 / 0)()
