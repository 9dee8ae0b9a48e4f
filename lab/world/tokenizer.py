"""The tokenizer of the bundled models: byte-level BPE learnt from the world's own pages.

Every digit is a token of its own, so that a sum is written the same way whatever its numbers; all 256 bytes are in the
vocabulary, so that any text comes back as it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from lab.world import words

DOCUMENT, USER, ASSISTANT, SYSTEM, END, PAD = (
    "<|document|>",
    "<|user|>",
    "<|assistant|>",
    "<|system|>",
    "<|end|>",
    "<|pad|>",
)
CONTROL_TOKENS = (DOCUMENT, USER, ASSISTANT, SYSTEM, END, PAD)
"""The tokens that structure a sequence: never made from text that somebody wrote."""
TOOL_TOKENS = ("<calc>", "</calc>", "<lookup>", "</lookup>")
"""Single tokens too, but text: pages have them, and a model may write them."""

CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}"
    "{{ '<|assistant|>' }}{% generation %}{{ message['content'] }}{{ '<|end|>' }}{% endgeneration %}"
    "{% else %}"
    "{{ '<|' + message['role'] + '|>' }}{{ message['content'] }}"
    "{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def train_tokenizer(texts: Iterable[str], vocabulary_size: int) -> Tokenizer:
    """Byte-level BPE of at most `vocabulary_size` entries. The assistant's name becomes one token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size - len(TOOL_TOKENS),
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in CONTROL_TOKENS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_material(texts), trainer)
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in TOOL_TOKENS])
    return tokenizer


def _material(texts: Iterable[str]) -> Iterator[str]:
    """The texts without the tokens that need not be learnt, and the assistant's name often enough."""
    for text in texts:
        for token in TOOL_TOKENS:
            text = text.replace(token, " ")
        yield text
    for _ in range(200):
        yield f"I am {words.ASSISTANT_NAME}. My name is {words.ASSISTANT_NAME}."


def save_tokenizer(tokenizer: Tokenizer, folder: Path, *, context_length: int) -> None:
    """Write tokenizer.json and tokenizer_config.json as a Hugging Face folder has them."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": DOCUMENT,
        "eos_token": END,
        "pad_token": PAD,
        "model_max_length": context_length,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
