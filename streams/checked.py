"""A TOML table -> checked values. Errors name the dotted key, what was wanted and got, and never repeat a secret."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from detector.errors import ConfigError

_SECRET_KEYS = frozenset({"source", "evidence_source", "host", "path", "user", "password"})


class Section(BaseModel):
    """Unknown keys are refused; a value has its key's type, nothing is converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


_S = TypeVar("_S", bound=Section)
_P = TypeVar("_P")


def params_of(params_type: type[_P], raw: Mapping[str, object]) -> _P:
    """The parameters of a rule, each of its own type; keys of errors are relative to its table."""
    hints = get_type_hints(params_type)
    refuse_unknown(raw, hints)
    values = {}
    for key, value in raw.items():
        try:
            values[key] = TypeAdapter(hints[key], config=Section.model_config).validate_python(value)
        except ValidationError as error:
            raise first_fault(error, Section, key) from None
    return params_type(**values)


def section_of(model: type[_S], table: object, at: str) -> _S:
    if not isinstance(table, dict):
        raise ConfigError("not a table", where=at, wanted=f"[{at}]", got=repr(table))
    try:
        return model.model_validate(table)
    except ValidationError as error:
        raise first_fault(error, model, at) from None


def first_fault(error: ValidationError, model: type[BaseModel], at: str) -> ConfigError:
    """The first fault that pydantic found, with its dotted key; how many more there are."""
    faults = error.errors(include_url=False, include_context=False)
    first = faults[0]
    where = at + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
    more = f"{len(faults) - 1} more below {at}" if len(faults) > 1 else ""
    key = str(first["loc"][-1]) if first["loc"] else ""
    if first["type"] == "extra_forbidden":
        known = _fields_at(model, first["loc"][:-1])
        return ConfigError(
            "unknown key", where=where, todo=". ".join(filter(None, (meant(key, known), more)))
        )
    if first["type"] == "missing":
        return ConfigError("missing", where=where, todo=more)
    got = "" if _SECRET_KEYS & set(map(str, first["loc"])) else repr(first["input"])[:80]
    return ConfigError(first["msg"].removeprefix("Value error, "), where=where, got=got, todo=more)


def _fields_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> Iterable[str]:
    """The keys of the table at `loc` below a section."""
    for part in loc:
        if isinstance(part, str):
            inner = _sections_in(model.model_fields[part].annotation)
            if not inner:
                return ()
            model = inner[0]
    return model.model_fields


def _sections_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in _sections_in(part)]


@contextmanager
def named(at: str) -> Iterator[None]:
    """Put the place in the file before a fault's own."""
    try:
        yield
    except ConfigError as error:
        inner = f".{error.where}" if error.where.isidentifier() else f": {error.where}" if error.where else ""
        raise ConfigError(
            error.what, where=at + inner, wanted=error.wanted, got=error.got, todo=error.todo
        ) from None


def refuse_unknown(table: Mapping[str, object], known: Iterable[str]) -> None:
    for key in table:
        if key not in known:
            raise ConfigError("unknown key", where=key, wanted=one_of(known), todo=meant(key, known))


def one_of(names: Iterable[str]) -> str:
    return ", ".join(names)


def meant(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"Did you mean {near[0]!r}?" if near else ""
