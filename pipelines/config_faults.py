"""Faults of single keys in winback.toml, in words: where, what, what was expected."""

import difflib
import math
import types
import typing
from collections.abc import Container, Iterable, Sequence
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, Union, get_args, get_origin

_EXPECTED = {
    "float_type": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "string_type": 'text in quotes, such as "abc"',
    "tuple_type": 'a list, such as ["a", "b"]',
    "list_type": 'a list, such as ["a", "b"]',
    "dict_type": "a table of its own",
    "dataclass_type": "a table of its own",
    "dataclass_exact_type": "a table of its own",
    "missing": "a value",
    "missing_argument": "a value",
    "none_required": "nothing",
}
_LONGEST_VALUE = 60


def nearest_name(name: str, known: Iterable[str]) -> str:
    """A suggestion such as `did you mean "visit"? `, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"? ' if close else ""


def one_of(name: str, known: Sequence[str]) -> str:
    """What was expected in place of an unknown name, with the nearest one if there is one."""
    hint = nearest_name(name, known)
    names = ", ".join(known) if known else "none, as none is defined"
    return f"{hint}Expected one of: {names}" if hint else f"expected one of: {names}"


def unknown_name(place: str, name: str, *, known: Sequence[str], noun: str) -> str:
    """The fault of a name that nothing defines."""
    return f'{place}: "{name}" is not {noun}; {one_of(name, known)}'


Path = tuple[str | int, ...]


def non_finite_faults(value: Any, path: Path, document: Any) -> dict[Path, str]:
    """A fault for each nan or inf, by its path: TOML allows them and no key of ours does."""
    if isinstance(value, float) and not math.isfinite(value):
        return {path: f"{key_path(path, document)}: {value} is not valid; expected a finite number"}
    parts: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        parts = value.items()
    elif isinstance(value, list):
        parts = enumerate(value)
    return {
        place: fault
        for key, part in parts
        for place, fault in non_finite_faults(part, (*path, key), document).items()
    }


def key_path(path: Sequence[str | int], document: Any) -> str:
    """`stages[1] (granted).silence_days`: entries of a list carry their name, if they have one."""
    text = ""
    here = document
    for part in path:
        if isinstance(part, int):
            here = here[part] if isinstance(here, list) and part < len(here) else None
            name = here.get("name") if isinstance(here, dict) else None
            text += f"[{part}]" + (f" ({name})" if isinstance(name, str) else "")
        else:
            here = here.get(part) if isinstance(here, dict) else None
            text += f".{part}" if text else part
    return text


def section_faults(
    section: str,
    kind: Any,
    faults: Sequence[Any],
    document: Any,
    *,
    told: Container[Path] = (),
) -> list[str]:
    """Pydantic's faults of one section in our words.

    Parameters
    ----------
    section : the top-level key.
    kind : its type, from which valid keys are told.
    faults : `ValidationError.errors()`. A list whose entry is faulty is not counted again
        as too short.
    document : the whole document, for the names of list entries.
    told : paths whose fault has been told already.
    """
    places = [fault["loc"] for fault in faults]
    return [
        _fault_text(section, kind, fault, document)
        for fault in faults
        if (section, *fault["loc"]) not in told
        and not any(_is_inside(place, fault["loc"]) for place in places)
    ]


def _is_inside(place: Sequence[Any], outer: Sequence[Any]) -> bool:
    return len(place) > len(outer) and place[: len(outer)] == outer


def _fault_text(section: str, kind: Any, fault: Any, document: Any) -> str:
    inner = tuple(part for part in fault["loc"] if part != "[key]")
    place = key_path((section, *inner), document)
    if fault["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        known = valid_keys(kind, inner[:-1])
        return f"{place}: unknown key; {one_of(str(inner[-1]), known)}"
    if fault["type"] in ("missing", "missing_argument"):
        return f"{place}: missing; expected {_meaning(inner)}"
    if isinstance(fault["input"], dict) and valid_keys(kind, (*inner, 0)):
        return f"{place}: a single table is not valid; expected a list of tables: write [[{place}]]"
    return f"{place}: {_shown(fault['input'])} is not valid; expected {_expected(fault)}"


def _meaning(inner: Sequence[str | int]) -> str:
    return f"a value for {inner[-1]}" if inner else "this section"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."


def _expected(fault: Any) -> str:
    kind, context = fault["type"], fault.get("ctx", {})
    if kind in _EXPECTED:
        return _EXPECTED[kind]
    if kind == "string_pattern_mismatch":
        return f"text that matches {context['pattern']}"
    if kind == "too_short":
        least = context["min_length"]
        return f"at least {least} {'entry' if least == 1 else 'entries'}"
    if kind == "too_long":
        return f"at most {context['max_length']} entries"
    text = str(fault["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    text = text.removeprefix("String should have ")
    return text[:1].lower() + text[1:]


def valid_keys(kind: Any, path: Sequence[str | int]) -> tuple[str, ...]:
    """The keys that the table at `path` inside a type may hold."""
    kind = _plain(kind)
    if not path:
        return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else ()
    if is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind, include_extras=True)
        inner = hints.get(str(path[0]))
    else:
        inner = next(iter(get_args(kind)[::-1]), None)
        if inner is Ellipsis:
            inner = get_args(kind)[0]
    return valid_keys(inner, path[1:]) if inner is not None else ()


def _plain(kind: Any) -> Any:
    """A type without Annotated and without `| None`."""
    if get_origin(kind) is Annotated:
        return _plain(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        return _plain(next(part for part in get_args(kind) if part is not type(None)))
    return kind
