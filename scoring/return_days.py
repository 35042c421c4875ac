"""When one customer is expected back, as days from the as-of and as calendar dates."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from models.return_time import ReturnForecast

Float64Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ReturnDays:
    """Days from the as-of to the next order that would come without a contact.

    Attributes
    ----------
    expected : expected days, truncated at the model's horizon; None without a model.
    low, high : central 80 % interval; None where later than the horizon.
    """

    expected: float | None
    low: float | None
    high: float | None

    def dates(self, day: date) -> tuple[date | None, date | None, date | None]:
        """The business's local dates on which these days fall.

        Parameters
        ----------
        day : local date whose midnight is the as-of.
        """
        return _date(day, self.expected), _date(day, self.low), _date(day, self.high)


NO_RETURN_DAYS = ReturnDays(None, None, None)
"""Of a customer for whom no model speaks."""


def list_return_days(forecast: ReturnForecast) -> list[ReturnDays]:
    """One entry per customer, in order."""
    columns = (forecast.expected_days, forecast.low_days, forecast.high_days)
    return [ReturnDays(*map(_known, days)) for days in zip(*columns, strict=True)]


def _known(days: float) -> float | None:
    return None if np.isnan(days) else float(days)


def _date(day: date, days: float | None) -> date | None:
    return None if days is None else day + timedelta(days=int(days))
