"""What the configuration says about one night."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from features.stage import Stage
from scoring.policy import (
    Caps,
    Channel,
    Experiment,
    FollowUp,
    ListRules,
    NightLimits,
    Offer,
    Waiting,
)
from scoring.timing import ListDay


@dataclass(frozen=True, slots=True)
class NightPolicy:
    """What the configuration says about one night.

    Attributes
    ----------
    as_of_us : the as-of, microseconds since 1970-01-01 UTC.
    day : the list's local date.
    zone : the business's IANA zone, used where a customer's own is unknown.
    gross_margin : share of an order's amount that is kept.
    """

    as_of_us: int
    day: date
    zone: str
    gross_margin: float
    stages: tuple[Stage, ...]
    channels: Mapping[str, Channel]
    offers: Mapping[str, Offer]
    caps: Caps
    experiment: Experiment
    rules: ListRules
    limits: NightLimits = field(default_factory=NightLimits)
    follow_up: FollowUp = field(default_factory=FollowUp)
    waiting: Waiting = field(default_factory=Waiting)

    @property
    def list_day(self) -> ListDay:
        """The list's date and its as-of."""
        return ListDay(day=self.day, as_of_us=self.as_of_us)
