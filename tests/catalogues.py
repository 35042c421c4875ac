"""Every text that readers see, found by walking the catalogues of texts."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from string import Formatter
from types import ModuleType
from typing import Any

from scoring.language import Noun, Text

ROOT = Path(__file__).resolve().parent.parent

NOT_CHINESE = re.compile(r"[A-Za-z]{3,}")
"""A word of Latin letters in a Chinese text must be allowed, or stand in backticks."""

ALLOWED_LATIN = {
    *("winback", "toml", "MLflow", "UTC", "manifest", "json", "xlsx"),
    *("contact", "explore", "ghost", "holdout", "none", "rules", "response", "uplift"),
    *("channel", "offer", "customer"),
    *("EUR", "USD", "CNY", "MXN", "SMS", "App", "CSV", "Parquet"),
}
"""Names and codes that are the same in every language."""

_CODE = re.compile(r"`[^`]*`|\[[^\]]*\]|\b\w+(?:\.\w+)+\b|\b\w+_\w+\b|\{\w*\}")


def catalogue_modules() -> list[ModuleType]:
    """Modules that build texts of `scoring.language`."""
    found = []
    for package in ("scoring", "pipelines"):
        for file in sorted((ROOT / package).rglob("*.py")):
            if re.search(r"\b(Text|Noun)\($|\b(Text|Noun)\(\S", file.read_text(), re.MULTILINE):
                name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
                found.append(import_module(name))
    return found


def texts_of(module: ModuleType) -> Iterator[tuple[str, Text | Noun]]:
    """Texts and nouns in a module's own variables, with where they stand."""
    for name, value in vars(module).items():
        if name != "CODE_WORDS" and not isinstance(value, ModuleType | type):
            yield from _texts_in(f"{module.__name__}.{name}", value)


def _texts_in(place: str, value: Any) -> Iterator[tuple[str, Text | Noun]]:
    if isinstance(value, Text | Noun):
        yield place, value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _texts_in(f"{place}[{key!r}]", part)
    elif isinstance(value, tuple | list):
        for number, part in enumerate(value):
            yield from _texts_in(f"{place}[{number}]", part)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from _texts_in(f"{place}.{field.name}", getattr(value, field.name))


def placeholders(text: str) -> set[str]:
    """Names in curly braces."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def latin_left(text: str, *, allowed: set[str] = ALLOWED_LATIN) -> list[str]:
    """Words of three or more Latin letters that do not belong into a Chinese text."""
    return [word for word in NOT_CHINESE.findall(_CODE.sub(" ", text)) if word not in allowed]
