"""What all settings have in common: plain data, documented field by field, that goes to JSON and back."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import types
import typing
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Self

from lab.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Config:
    """Base of all settings: JSON round trip and documentation of the fields."""

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON values (nested settings as nested objects)."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The settings from `to_json()`'s values. Raises `ConfigError` for an unknown key or a wrong type."""
        hints = typing.get_type_hints(cls)
        known = {f.name for f in dataclasses.fields(cls)}
        for key in values:
            if key not in known:
                raise ConfigError(f"{cls.__name__} has no setting {key!r}. It has: {', '.join(sorted(known))}.", key)
        return cls(**{key: _convert(value, hints[key], f"{cls.__name__}.{key}") for key, value in values.items()})

    def replace(self, **changes: Any) -> Self:
        """A copy with some settings changed."""
        return dataclasses.replace(self, **changes)

    @classmethod
    def help(cls) -> dict[str, str]:
        """The documentation string under each field, by field name, inherited fields included."""
        found: dict[str, str] = {}
        for ancestor in reversed(cls.__mro__):
            if dataclasses.is_dataclass(ancestor):
                found |= _field_documentation(ancestor)
        return found

    def _require(self, condition: bool, name: str, message: str) -> None:
        if not condition:
            raise ConfigError(f"{name} is {getattr(self, name)!r}: {message}", name)


@cache
def _field_documentation(cls: type) -> dict[str, str]:
    body = typing.cast(ast.ClassDef, ast.parse(inspect.getsource(cls)).body[0]).body
    return {
        typing.cast(ast.Name, here.target).id: " ".join(after.value.value.split())
        for here, after in itertools.pairwise(body)
        if isinstance(here, ast.AnnAssign)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
        and isinstance(after.value.value, str)
    }


def _convert(value: Any, hint: Any, where: str) -> Any:
    """`value` as the type `hint`: settings from objects, tuples from lists, whole floats to int and int to float."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return _convert(value, next(a for a in arguments if a is not type(None)), where)
    if origin is Literal:
        if value in arguments:
            return value
        raise ConfigError(f"{where} is {value!r}; it must be one of {', '.join(map(str, arguments))}.")
    if origin is tuple:
        if isinstance(value, (list, tuple)):
            inner = arguments[0] if arguments else Any
            return tuple(_convert(item, inner, where) for item in value)
    elif inspect.isclass(hint) and issubclass(hint, Config):
        if isinstance(value, hint):
            return value
        if isinstance(value, dict):
            return hint.from_json(value)
    elif hint is Any:
        return value
    elif hint is bool or hint is str:
        if isinstance(value, hint):
            return value
    elif hint is int and not isinstance(value, bool):
        if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
            return int(value)
    elif hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    raise ConfigError(f"{where} is {value!r}, which is not {getattr(hint, '__name__', hint)}.")
