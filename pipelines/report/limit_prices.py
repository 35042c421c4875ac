"""What limits a night, and what one unit more of each limit is worth."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from scoring.night_plan import Certificate
from scoring.outcomes import UNLIMITED
from scoring.policy import NightLimits, SegmentLimit

_FULL = 1e-4
"""Share of a limit that may be left where it counts as used up."""

LimitKind = Literal["seats", "budget", "rows", "segment_most", "segment_least"]


@dataclass(frozen=True, slots=True)
class LimitPrice:
    """One limit of the night.

    Attributes
    ----------
    kind : "seats" of a channel, the "budget", list "rows", the most or the least contacts
        of a segment.
    name : of the channel or the segment; empty for the others.
    price : expected gain by one unit more: a seat, a row, a contact, or one unit of money;
        for "segment_least" by one contact less. Zero where the limit does not bind.
    used, limit : units taken and at most (least) allowed; money for the budget, rows of the
        list with its controls, contacts really to be made for the others.
    """

    kind: LimitKind
    name: str
    price: float
    used: float
    limit: float

    @property
    def binds(self) -> bool:
        """Whether one unit more would change the list."""
        return self.price > 0 or self.is_missed

    @property
    def is_missed(self) -> bool:
        """Fewer contacts than promised to a segment: too few customers may be contacted."""
        return self.kind == "segment_least" and self.used < self.limit

    @property
    def is_full(self) -> bool:
        """Nothing is left of a limit."""
        return self.kind != "segment_least" and self.used >= self.limit * (1.0 - _FULL)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the configuration allows one night.

    Attributes
    ----------
    seats : most contacts per channel; null means no limit.
    rows : most rows of the list; null means no limit.
    limits : budget and segments.
    """

    seats: Mapping[str, int | None]
    rows: int | None
    limits: NightLimits


def limit_prices(
    certificate: Certificate, allowance: Allowance, *, listed: int
) -> tuple[LimitPrice, ...]:
    """Every limit there is: channels' seats, budget, rows, segments.

    Parameters
    ----------
    listed : rows of the list, controls included.
    """
    found = [
        LimitPrice("seats", channel, _money(price), float(used), float(seats))
        for channel, seats, price, used in zip(
            allowance.seats,
            certificate.seats,
            certificate.seat_prices,
            certificate.seats_used,
            strict=True,
        )
        if seats != UNLIMITED
    ]
    budget = allowance.limits.budget
    if budget is not None:
        price = _money(certificate.budget_price)
        found.append(LimitPrice("budget", "", price, round(certificate.spent_high, 2), budget))
    if allowance.rows is not None:
        price = _money(certificate.row_price)
        found.append(LimitPrice("rows", "", price, float(listed), float(allowance.rows)))
    for limit, price, used in zip(
        allowance.limits.segments,
        certificate.segment_prices,
        certificate.segment_used,
        strict=True,
    ):
        found.append(_segment_price(limit, float(price), int(used), certificate.contacts))
    return tuple(found)


def _segment_price(limit: SegmentLimit, price: float, used: int, contacts: int) -> LimitPrice:
    """The segment's limit that is nearer to what is used; what is not configured is no limit."""
    least = max(limit.min_contacts or 0, math.ceil((limit.min_share or 0.0) * contacts - 1e-9))
    most = min(
        math.inf if limit.max_contacts is None else limit.max_contacts,
        math.inf if limit.max_share is None else math.floor(limit.max_share * contacts + 1e-9),
    )
    asks_least = limit.min_contacts is not None or limit.min_share is not None
    if math.isfinite(most) and (most - used <= used - least or not asks_least):
        return LimitPrice("segment_most", limit.name, _money(price), float(used), float(most))
    return LimitPrice("segment_least", limit.name, _money(price), float(used), float(least))


def _money(price: float) -> float:
    return round(max(float(price), 0.0), 4)
