"""Templates are programs of strangers: what they cannot do, and that they can be stopped."""

import time

import pytest

from lab.chat_template import ChatTemplate
from lab.errors import ModelError
from lab.template_sandbox import IsolatedTemplate, SandboxedTemplate, render_untrusted
from lab.tokenizer import load_tokenizer
from tests.tokenizer_samples import CHATML_MARKED, byte_level, save

ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"


@pytest.mark.parametrize(
    "source",
    [
        "{{ messages.__class__.__mro__ }}",
        "{{ messages.append(1) }}",
        "{{ ''.__class__.__subclasses__() }}",
        "{{ cycler.__init__.__globals__ }}",
        "{% include '/etc/passwd' %}",
        "{{ 'x' * 10 ** 9 }}",
        "{{ [0] * 10 ** 9 }}",
        "{{ 10 ** 10 ** 10 }}",
        "{{ '%1000000000d' % 1 }}",
        "{% for a in range(10 ** 9) %}{% endfor %}",
        "{% for a in range(99999) %}{{ 'x' * 1000 }}{% endfor %}",
        "{{ raise_exception('no') }}",
        "{{ 1 // 0 }}",
        "{{ undefined.field.of.nothing }}",
    ],
)
def test_what_a_template_cannot_do(source):
    try:
        text = SandboxedTemplate(source).render({"messages": [{"role": "user"}]})
    except ModelError as error:
        assert "chat template" in str(error)
    else:
        assert text == ""  # the sandbox gives nothing for what is not allowed


def test_what_templates_use():
    source = "{%- for m in messages -%}{%- if loop.index > 2 -%}{%- break -%}{%- endif -%}{{ m | tojson }}{% endfor %}"
    messages = [{"a": "<é>"}, {"b": 1}, {"c": 2}]
    assert SandboxedTemplate(source).render({"messages": messages}) == '{"a": "<é>"}{"b": 1}'
    assert len(SandboxedTemplate("{{ strftime_now('%Y') }}").render({})) == 4


def test_an_endless_template_is_stopped_and_the_next_one_is_rendered():
    template = IsolatedTemplate("{% if go %}" + ENDLESS + "{% endif %}done", seconds=0.7)
    try:
        assert template.render({"go": False}) == "done"
        started = time.monotonic()
        with pytest.raises(ModelError, match=r"did not finish within 0\.7 s"):
            template.render({"go": True})
        assert time.monotonic() - started < 5
        assert template.render({"go": False}) == "done"
    finally:
        template.close()


def test_an_isolated_template_says_what_the_other_says(tmp_path):
    folder = save(byte_level(), tmp_path / "m", template=CHATML_MARKED)
    chat = [{"role": "user", "content": "hi <|im_end|>"}, {"role": "assistant", "content": "é🙂\n"}]
    assert ChatTemplate.from_folder(folder, isolated=True).encode(chat) == ChatTemplate.from_folder(folder).encode(chat)


def test_errors_come_out_of_the_child():
    with pytest.raises(ModelError, match="line 1"):
        render_untrusted("{% for %}", {})
    with pytest.raises(ModelError, match="refuses these messages: no"):
        render_untrusted("{{ raise_exception('no') }}", {})
    assert render_untrusted("{{ x }}", {"x": "\ud83d"}) == "\ud83d"


@pytest.mark.slow
def test_a_template_that_eats_memory_takes_only_its_own_process():
    grow = "{% set ns = namespace(t='x') %}{% for i in range(40) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}{{ ns.t }}"
    with pytest.raises(ModelError):
        render_untrusted(grow, {}, seconds=20)


def test_a_tokenizer_that_is_not_a_folder_has_the_default_template():
    assert (
        ChatTemplate(None, load_tokenizer("bytes"), isolated=True).render([{"role": "user", "content": "a"}])
        == "User: a\n"
    )
