"""What stands beside a tokenizer.json in a model folder: names of control tokens, end tokens, the chat template."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from lab.errors import ModelError


@dataclass(frozen=True)
class Beside:
    """`named_tokens` are texts by the name that a chat template uses (`bos_token`, `eos_token`, …); `end_ids` are the
    tokens at which generation ends, as the folder's configuration lists them."""

    named_tokens: dict[str, str] = field(default_factory=dict)
    end_ids: tuple[int, ...] = ()
    chat_template: str | None = None


def read_beside(folder: Path) -> Beside:
    """Read the folder. What is missing is empty; a file that is no JSON raises `ModelError`."""
    config = _read_json(folder / "tokenizer_config.json")
    contents = {name: _content(value) for name, value in config.items() if name.endswith("_token")}
    end_ids: list[int] = []
    for name in ("generation_config.json", "config.json"):
        value = _read_json(folder / name).get("eos_token_id")
        end_ids += [id for id in (value if isinstance(value, list) else [value]) if isinstance(id, int)]
    named = {name: content for name, content in contents.items() if content is not None}
    return Beside(named, tuple(end_ids), _template(folder, config))


def _read_json(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        value = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise ModelError(f"{file} cannot be read: {error}") from error
    return value if isinstance(value, dict) else {}


def _content(token: Any) -> str | None:
    """A token as tokenizer_config.json writes it: its text, or an object with the text in `content`."""
    if isinstance(token, dict):
        token = token.get("content")
    return token if isinstance(token, str) else None


def _template(folder: Path, config: dict[str, Any]) -> str | None:
    """The chat template: chat_template.jinja, else the setting, which may be a list of named ones."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    template = config.get("chat_template")
    if isinstance(template, list):
        named = {entry.get("name"): entry.get("template") for entry in template if isinstance(entry, dict)}
        template = named.get("default") or next(iter(named.values()), None)
    return template if isinstance(template, str) else None


def downloaded_tokenizer(reference: str) -> Path | None:
    """The tokenizer.json of a model of the Hub, when it has been downloaded; nothing is fetched."""
    if re.fullmatch(r"[\w.-]+/[\w.-]+", reference) is None:
        return None
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(reference, "tokenizer.json")
    except HFValidationError:
        return None
    return Path(found) if isinstance(found, str) else None
