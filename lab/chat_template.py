"""From a conversation to token ids and a loss mask: the one place for training and for chat.

The loss mask says which tokens the model is trained to write: the assistant's replies, each with the token that ends
it. Where a template marks them with `{% generation %}`, that is what counts. Where it does not, every reply is put
between two private characters and rendered, and the result without them must be the text without them; a template that
changes what it is given (so that this fails) is rendered with one message more at a time; if that fails too, only the
last reply is learned, and `note` says so.

Control tokens written by the template become those tokens. The same characters in what a person or a model wrote do
not: `<|assistant|>` in a question stays text. Tokens that were added to a vocabulary but control nothing, such as
`<tool_call>`, may be written by the assistant, and by nobody else if the template uses them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lab.conversation import Conversation, Message
from lab.errors import ModelError
from lab.template_marks import Marks, Rendered, any_of, break_control_tokens, take_out, tokenize, unused_marks
from lab.template_sandbox import IsolatedTemplate, SandboxedTemplate, Template
from lab.tokenizer import ASSETS, Tokenizer, load_tokenizer
from lab.tokenizer_folder import read_beside

DEFAULT_TEMPLATE = """\
{%- for message in messages -%}
{%- if message.role == 'assistant' -%}
{{ 'Assistant:' }}{% generation %}{{ ' ' + message.content + (eos_token or '') }}{% endgeneration %}{{ '\\n' }}
{%- elif message.role == 'system' -%}
{{ message.content + '\\n\\n' }}
{%- else -%}
{{ message.role[:1].upper() + message.role[1:] + ': ' + message.content + '\\n' }}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ 'Assistant:' }}{%- endif -%}
"""
"""For models that have no chat template: roles as plain words, so that no new token is needed."""

CHATML = """\
{%- for message in messages -%}
{{ '<|im_start|>' + message.role + '\\n' }}
{%- if message.role == 'assistant' -%}
{% generation %}{{ message.content + '<|im_end|>' }}{% endgeneration %}
{%- else -%}
{{ message.content + '<|im_end|>' }}
{%- endif -%}
{{ '\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}
"""
"""ChatML, as OpenAI published it and Qwen, Yi and others use it. Its two marks are control tokens."""

NAMED = {"chatml": (CHATML, ("<|im_start|>", "<|im_end|>"))}
"""Templates that settings can name, each with the control tokens that it needs."""

LAST_ONLY = (
    "This chat template does not say which tokens are the assistant's and rewrites earlier messages: "
    "only the last reply of each conversation is learned."
)

Messages = Conversation | Sequence[Message] | Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Encoded:
    """A conversation as tokens.

    `loss_mask[i]` says whether the model is trained to write token i after the ones before it; `starts` and `ends` are
    the places of the tokens in `text` (code points); `length` counts them before the cut to `max_length`.
    """

    ids: list[int]
    loss_mask: list[bool]
    text: str
    starts: list[int]
    ends: list[int]
    length: int


def _is_ours(source: str | None) -> bool:
    """Whether a template comes with Nudge, so that it needs no process of its own."""
    return source is None or source == CHATML or source == read_beside(ASSETS / "base").chat_template


class ChatTemplate:
    """A chat template and the tokenizer that goes with it."""

    def __init__(self, source: str | None, tokenizer: Tokenizer, *, isolated: bool = False) -> None:
        """`isolated` renders in a child process with a time limit: for templates that nobody here has looked at.

        Raises `ModelError` when `source` is no Jinja (isolated: at the first use).
        """
        self.is_default = source is None
        self.source = DEFAULT_TEMPLATE if source is None else source
        self.tokenizer = tokenizer
        self.note = ""
        """What to know about the loss masks made so far; empty when all is well."""
        self._template: Template = IsolatedTemplate(self.source) if isolated else SandboxedTemplate(self.source)
        self._marks_replies = re.search(r"{%[-+]?\s*generation\b", self.source) is not None

    @classmethod
    def from_folder(cls, folder: Path | str, *, isolated: bool | None = None) -> ChatTemplate:
        """The template of a model folder, or the default one when it has none. One that is not of the bundled models is
        isolated, unless `isolated` says otherwise."""
        tokenizer = load_tokenizer(folder)
        source = tokenizer.chat_template
        return cls(source, tokenizer, isolated=not _is_ours(source) if isolated is None else isolated)

    def render(self, messages: Messages, add_generation_prompt: bool = False) -> str:
        """The conversation as the model reads it; with `add_generation_prompt`, up to where the assistant begins."""
        return self._template.render(self._variables(*self._plain(messages), add_generation_prompt))

    def prompt_ids(self, messages: Messages) -> list[int]:
        """The tokens after which the assistant's reply comes."""
        plain, tools, marks = self._guarded(messages)
        rendered = take_out(self._template.render(self._variables(plain, tools, True)), marks)
        return [id for id, _, _ in tokenize(self.tokenizer, rendered)]

    def encode(self, messages: Messages, max_length: int | None = None) -> Encoded:
        """The tokens of the whole conversation (the first `max_length` of them) and which of them are learned."""
        rendered = self._with_replies(messages)
        tokens = tokenize(self.tokenizer, rendered)
        mask = self._mask(tokens, rendered)[:max_length]
        kept = tokens[:max_length]
        ids, starts, ends = ([token[n] for token in kept] for n in range(3))
        return Encoded(ids, mask, rendered.text, starts, ends, len(tokens))

    @cached_property
    def end_ids(self) -> tuple[int, ...]:
        """The tokens that end a reply: the one that this template writes after it, then the tokenizer's own."""
        return tuple(dict.fromkeys([*self._written_end, *self.tokenizer.end_ids]))

    @cached_property
    def _written_end(self) -> list[int]:
        """The control token that the template writes right after a reply, if it writes one."""
        try:
            rendered = self._with_replies([Message("user", "Hello"), Message("assistant", "Yes")])
        except ModelError:
            return []
        special = set(self.tokenizer.special_tokens.values())
        first, last = rendered.spans[-1] if rendered.spans else (len(rendered.text), 0)
        for id, start, end in tokenize(self.tokenizer, rendered):
            if end > first and id in special:
                return [id]
            if start >= last and rendered.text[start:end].strip():
                break
        return []

    # --- rendering -----------------------------------------------------------------------------------------------

    def _plain(self, messages: Messages) -> tuple[list[dict[str, Any]], list[dict[str, Any]] | None]:
        """Messages and tools as JSON values; tools as text in the messages where the template knows none."""
        conversation = messages if isinstance(messages, Conversation) else Conversation.of(messages)
        plain = [message.for_template("tool_calls" in self.source) for message in conversation.messages]
        tools = [dict(tool) for tool in conversation.tools] or None
        if tools and not re.search(r"\btools\b", self.source):
            listed = "You can call these tools:\n" + "\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools)
            if plain and plain[0]["role"] == "system":
                plain[0]["content"] += "\n\n" + listed
            else:
                plain.insert(0, {"role": "system", "content": listed})
            tools = None
        return plain, tools

    def _guarded(self, messages: Messages) -> tuple[list[dict[str, Any]], Any, Marks]:
        """`_plain` with every control token in it broken by a mark."""
        plain, tools = self._plain(messages)
        marks = unused_marks(plain, tools)
        everyone, assistant = self._control_patterns
        guarded = break_control_tokens(plain, marks.inside, everyone, assistant)
        return guarded, break_control_tokens(tools, marks.inside, everyone, assistant), marks

    @cached_property
    def _control_patterns(self) -> tuple[re.Pattern[str], re.Pattern[str]]:
        special = self.tokenizer.special_tokens
        written = [text for text in self.tokenizer.added_tokens if text not in special and text in self.source]
        return any_of([*special, *written]), any_of(special)

    def _variables(self, plain: Any, tools: Any, prompt: bool, marks: Marks | None = None) -> dict[str, Any]:
        return {
            **self.tokenizer.named_tokens,
            "messages": plain,
            "tools": tools,
            "documents": None,
            "add_generation_prompt": prompt,
            "generation_marks": marks.start + marks.end if marks else None,
        }

    # --- where the replies are -----------------------------------------------------------------------------------

    def _with_replies(self, messages: Messages) -> Rendered:
        """The rendered conversation with the spans of the replies that are learned."""
        plain, tools, marks = self._guarded(messages)
        replies = [n for n, message in enumerate(plain) if message["role"] == "assistant"]
        variables = self._variables(plain, tools, False, marks if self._marks_replies else None)
        rendered = take_out(self._template.render(variables), marks)
        spans = rendered.spans
        if not self._marks_replies:
            found = self._spans_by_sentinel(plain, tools, marks, rendered.text, replies)
            spans = self._spans_by_prefix(plain, tools, marks, rendered.text, replies) if found is None else found
        if len(spans) == len(replies):
            spans = [span for span, n in zip(spans, replies) if plain[n].get("weight", 1)]
        return Rendered(rendered.text, spans, rendered.breaks)

    def _spans_by_sentinel(
        self, plain: list[dict[str, Any]], tools: Any, marks: Marks, text: str, replies: list[int]
    ) -> list[tuple[int, int]] | None:
        """The spans, or None when the template does not pass the replies through unchanged."""
        if any(plain[n].get("tool_calls") for n in replies):
            return None
        for strip in (False, True):
            marked = [dict(message) for message in plain]
            for n in replies:
                content = marked[n]["content"].strip() if strip else marked[n]["content"]
                marked[n]["content"] = marks.start + content + marks.end
            try:
                found = take_out(self._template.render(self._variables(marked, tools, False)), marks)
            except ModelError:
                continue
            if found.text == text and len(found.spans) == len(replies):
                return found.spans
        return None

    def _spans_by_prefix(
        self, plain: list[dict[str, Any]], tools: Any, marks: Marks, text: str, replies: list[int]
    ) -> list[tuple[int, int]]:
        """What each reply adds to the conversation before it; of the last one only, when that cannot be told."""

        def upto(count: int, prompt: bool) -> str:
            try:
                return take_out(self._template.render(self._variables(plain[:count], tools, prompt)), marks).text
            except ModelError:
                return marks.inside  # no text begins with it

        spans = []
        for n in replies:
            before, after = upto(n, True), upto(n + 1, False)
            if after.startswith(before) and text.startswith(after):
                spans.append((len(before), self._without_line_break(after)))
        if len(spans) == len(replies):
            return spans
        self.note = LAST_ONLY
        before = upto(replies[-1], True)
        if text.startswith(before):
            return [(len(before), self._without_line_break(text))]
        content = plain[replies[-1]]["content"].replace(marks.inside, "").strip()
        place = text.rfind(content) if content else -1
        if place < 0:
            raise ModelError("The chat template leaves out the last reply of a conversation: nothing can be learned.")
        return [(place, place + len(content))]

    def _without_line_break(self, text: str) -> int:
        """The length of `text` without the white space after its last control token."""
        stripped = text.rstrip()
        return len(stripped) if stripped.endswith(tuple(self.tokenizer.special_tokens)) else len(text)

    def _mask(self, tokens: list[tuple[int, int, int]], rendered: Rendered) -> list[bool]:
        """True for the tokens that overlap a span, and up to the end token where that follows it."""
        mask = [False] * len(tokens)
        n = 0
        for start, end in rendered.spans:
            while n < len(tokens) and tokens[n][2] <= start:
                n += 1
            while n < len(tokens) and tokens[n][1] < end:
                mask[n] = True
                n += 1
            after = n
            while after < len(tokens) and not rendered.text[tokens[after][1] : tokens[after][2]].strip():
                after += 1
            if after < len(tokens) and tokens[after][0] in self._written_end:
                mask[n : after + 1] = [True] * (after + 1 - n)
        return mask
