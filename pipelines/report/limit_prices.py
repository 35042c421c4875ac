"""What limits a night, what one unit more of each limit is worth, and how good the list is."""

from dataclasses import dataclass
from typing import Literal

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
    used, limit : units taken and at most (least) allowed, controls left out.
    """

    kind: LimitKind
    name: str
    price: float
    used: float
    limit: float

    @property
    def binds(self) -> bool:
        """Whether one unit more would change the list."""
        return self.price > 0


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the night's optimum is limited by, and what it is measured against.

    Attributes
    ----------
    prices : of every limit there is.
    bound : expected gain that no list within the limits can exceed, money; null if the
        night computed none.
    gap : share of the bound that the planned list falls short of it; null as above.
    """

    prices: tuple[LimitPrice, ...] = ()
    bound: float | None = None
    gap: float | None = None
