"""A tokenizer with tokens, or with a chat template, that its model did not come with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import tokenizers

from lab.run_dir import write_json
from lab.tokenizer import load_tokenizer


def extend_tokenizer(parent: Path, folder: Path, tokens: Iterable[str], chat_template: str | None) -> list[int]:
    """Write the tokenizer of the model in `parent` into `folder`, with these control tokens and this chat template
    (None: its own). Gives the ids of the tokens that the tokenizer did not have. Raises `ModelError` without one."""
    before = load_tokenizer(parent)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"):
        if (parent / name).is_file():
            shutil.copyfile(parent / name, folder / name)
    tokenizer = tokenizers.Tokenizer.from_file(str(parent / "tokenizer.json"))
    tokenizer.add_special_tokens([tokenizers.AddedToken(token, special=True, normalized=False) for token in tokens])
    tokenizer.save(str(folder / "tokenizer.json"))
    if chat_template is not None:
        (folder / "chat_template.jinja").write_text(chat_template, encoding="utf-8")
        settings = folder / "tokenizer_config.json"
        if settings.is_file():
            values = json.loads(settings.read_text(encoding="utf-8"))
            write_json(settings, {name: value for name, value in values.items() if name != "chat_template"})
    return list(range(before.vocab_size, tokenizer.get_vocab_size(with_added_tokens=True)))
