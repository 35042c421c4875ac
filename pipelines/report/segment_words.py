"""Segments of customers in words: where they stand, and who moved within a month."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.report.page_parts import Meter, say
from pipelines.report.page_words import TIER_WORDS
from pipelines.report.summary import NightSummary
from scoring.code_words import LIFE_CYCLE_WORDS, PROMOTION_WORDS, CodeWords
from scoring.language import Language, number_text
from scoring.segments import TierMovement

_LEAST_HEAT, _MOST_HEAT = 8, 45
"""Per cent of the colour in a cell: the text on it stays readable."""


@dataclass(frozen=True, slots=True)
class MoveCell:
    """Customers who went from one tier to another; `style` is up, down or same."""

    told: str
    style: str
    heat: int


@dataclass(frozen=True, slots=True)
class MovementWords:
    """The movement as a table, its rows by the tier of a month ago, and in a sentence."""

    told: str
    names: tuple[str, ...]
    rows: tuple[tuple[str, tuple[MoveCell, ...]], ...]


def segment_meters(
    counts: Mapping[str, int], words: Mapping[str, CodeWords], *, language: Language
) -> tuple[Meter, ...]:
    """Customers by segment, in the order of the segments, with what each means."""
    most = max(counts.values(), default=0)
    return tuple(
        Meter(
            text=words[code].name.say(language),
            hint=words[code].meaning.say(language),
            told=number_text(number, language=language),
            percent=round(100 * number / most, 2),
            code=code,
        )
        for code, number in counts.items()
        if number
    )


def life_cycle_meters(night: NightSummary) -> tuple[Meter, ...]:
    """Scored customers by life cycle."""
    return segment_meters(night.segments.life_cycle, LIFE_CYCLE_WORDS, language=night.language)


def promotion_meters(night: NightSummary) -> tuple[Meter, ...]:
    """Scored customers by what offers do to them."""
    return segment_meters(night.segments.promotion, PROMOTION_WORDS, language=night.language)


def movement_words(movement: TierMovement, *, language: Language) -> MovementWords | None:
    """Who moved between tiers; null where nobody was known a month ago.

    Up means more of value and frequency together, down less; from one to the other is
    neither.
    """
    if not any(map(sum, movement.counts)):
        return None
    names = tuple(words.say(language) for words in TIER_WORDS)
    most = max(
        number
        for then, counts in enumerate(movement.counts)
        for now, number in enumerate(counts)
        if then != now
    )
    moved = {"up": 0, "down": 0, "same": 0}
    rows = []
    for then, counts in enumerate(movement.counts):
        cells = []
        for now, number in enumerate(counts):
            style = _direction(then, now)
            moved[style] += number
            share = min(number / max(most, 1), 1.0)
            heat = round(_LEAST_HEAT + (_MOST_HEAT - _LEAST_HEAT) * share) if number else 0
            cells.append(MoveCell(number_text(number, language=language), style, heat))
        rows.append((names[then], tuple(cells)))
    told = say(
        "segments.movement_told",
        language=language,
        up=number_text(moved["up"], language=language),
        down=number_text(moved["down"], language=language),
        joined=number_text(sum(movement.joined), language=language),
    )
    return MovementWords(told, names, tuple(rows))


def _direction(then: int, now: int) -> str:
    # A tier's place is 2 * high value + high frequency.
    change = now.bit_count() - then.bit_count()
    return "up" if change > 0 else "down" if change < 0 else "same"
