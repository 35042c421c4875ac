"""A night's limits in words: what they are worth, and how near the list is to the best one."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from pipelines.report.limit_prices import LimitPrice
from pipelines.report.page_parts import Labels, Meter, say
from pipelines.report.summary import NightSummary
from scoring.caution_words import caution_text
from scoring.language import Language, money_text, number_text, percent_text

_LEAST_DECIMALS, _MOST_DECIMALS = 2, 5


@dataclass(frozen=True, slots=True)
class LimitWords:
    """Limits that bind, those that do not, and the bound in a sentence."""

    binding: tuple[Meter, ...]
    slack: tuple[Meter, ...]
    bound: str | None


def limit_words(night: NightSummary, labels: Labels) -> LimitWords:
    """Prices as sentences, the dearest first."""
    return LimitWords(
        binding=tuple(
            _meter(price_text(one, night, labels.channels), one, night)
            for one in binding_prices(night)
        ),
        slack=tuple(
            _meter(_slack_text(one, night, labels), one, night)
            for one in night.prices
            if not one.binds
        ),
        bound=bound_text(night),
    )


def binding_prices(night: NightSummary) -> list[LimitPrice]:
    """The limits that bind, the dearest first."""
    return sorted((one for one in night.prices if one.binds), key=lambda one: -one.price)


def bound_text(night: NightSummary) -> str | None:
    """How near the list is to the best one; null where there is nothing to gain."""
    if night.bound <= 0:
        return None
    told = say(
        "limits.bound",
        language=night.language,
        value=money_text(night.bound * (1.0 - night.gap), night.currency, language=night.language),
        bound=money_text(night.bound, night.currency, language=night.language),
        reached=reached_text(night.gap, language=night.language),
    )
    return _cautious_text(told, night)


def price_text(price: LimitPrice, night: NightSummary, channels: Mapping[str, str]) -> str:
    """What one unit more of a limit is worth, in a sentence."""
    told = say(
        "limits.segment_missed" if price.is_missed else f"limits.{price.kind}",
        language=night.language,
        name=channels.get(price.name, price.name),
        price=money_text(price.price, night.currency, language=night.language),
        unit=night.currency,
    )
    return told if price.is_missed else _cautious_text(told, night)


def _cautious_text(sentence: str, night: NightSummary) -> str:
    """Money that the optimum knows has caution taken off, what the list expects has not."""
    if night.caution <= 0:
        return sentence
    caution = caution_text(night.caution, language=night.language)
    return say(
        "limits.cautious",
        language=night.language,
        caution=caution[:1].upper() + caution[1:],
        sentence=sentence,
    )


def _meter(text: str, price: LimitPrice, night: NightSummary) -> Meter:
    return Meter(
        text=text,
        told=_used_text(price, night),
        percent=round(100 * min(price.used / price.limit, 1.0), 2) if price.limit else 100.0,
    )


def _slack_text(price: LimitPrice, night: NightSummary, labels: Labels) -> str:
    language, name = night.language, price.name
    if price.kind == "seats":
        name = say("limits.name_seats", language=language, name=labels.channels.get(name, name))
    elif price.kind in ("budget", "rows"):
        name = say(f"limits.name_{price.kind}", language=language)
    return say("limits.full" if price.is_full else "limits.slack", language=language, name=name)


def _used_text(price: LimitPrice, night: NightSummary) -> str:
    tell = partial(number_text, language=night.language)
    if price.kind == "budget":
        tell = partial(money_text, currency=night.currency, language=night.language)
    return say(
        "limits.used_least" if price.kind == "segment_least" else "limits.used",
        language=night.language,
        used=tell(price.used),
        limit=tell(price.limit),
    )


def reached_text(gap: float, *, language: Language) -> str:
    """Share of the bound that is reached, never rounded up: 99.98 %."""
    for decimals in range(_LEAST_DECIMALS, _MOST_DECIMALS + 1):
        scale = 10 ** (decimals + 2)
        share = int((1.0 - gap) * scale + 1e-9) / scale
        if (share < 1.0 and 1.0 - share < 2 * gap) or gap <= 0:
            break
    return percent_text(share, language=language, decimals=decimals)
