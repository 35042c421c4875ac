"""What a feature says about itself, and the windows all blocks share."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

DAY_US = 86_400_000_000
"""Microseconds in the 24-hour periods that windows, ages and active days are made of."""

WINDOW_DAYS = (7, 30, 90, 180, 365)
"""Windows of counts and sums; a window of w days before an as-of is [as_of - w, as_of)."""

WINDOW_NAMES = (*(f"{days}d" for days in WINDOW_DAYS), "lifetime")
"""Names of the windows, the unbounded one last: the order of the windows axis."""

HALF_LIVES = (14, 30, 60, 120, 240)
"""Half-lives in days of decayed counts and sums."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of the feature matrix.

    Attributes
    ----------
    name : column name, unique within a specification.
    unit : "days", "count", "money", "share", "ratio", "flag" or "code".
    meaning : one sentence, with the rule for a missing value (NaN).
    block : the kernel block that fills the column.
    kind : "categorical" columns hold codes, "numeric" ones measurements.
    """

    name: str
    unit: str
    meaning: str
    block: str
    kind: Literal["numeric", "categorical"] = "numeric"


def column_words(names: Iterable[str]) -> tuple[str, ...]:
    """Turn configured names into unique words that are safe in column names.

    Letters, digits and underscores stay; anything else becomes an underscore. Words that
    clash get their position appended.
    """
    words: list[str] = []
    for position, name in enumerate(names):
        word = re.sub(r"[^0-9a-z]+", "_", name.lower()).strip("_") or "unnamed"
        words.append(f"{word}_{position}" if word in words else word)
    return tuple(words)


def window_text(name: str) -> str:
    """How a window reads in a sentence."""
    return "ever" if name == "lifetime" else f"in the {name.removesuffix('d')} days before"
