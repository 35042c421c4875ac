"""Days to the next order as dates of the business's calendar."""

from datetime import date

import numpy as np

from models.return_time import ReturnForecast
from scoring.return_days import NO_RETURN_DAYS, ReturnDays, list_return_days

DAY = date(2026, 2, 27)


def test_a_day_is_the_date_it_falls_on() -> None:
    assert ReturnDays(0.0, 0.9, 2.0).dates(DAY) == (DAY, DAY, date(2026, 3, 1))


def test_later_than_the_horizon_has_no_date() -> None:
    assert ReturnDays(80.2, 9.0, None).dates(DAY) == (date(2026, 5, 18), date(2026, 3, 8), None)
    assert NO_RETURN_DAYS.dates(DAY) == (None, None, None)


def test_a_forecast_becomes_an_entry_per_customer() -> None:
    forecast = ReturnForecast(
        np.array([3.5, 90.0]), np.array([1.0, np.nan]), np.array([9.0, np.nan])
    )
    assert list_return_days(forecast) == [
        ReturnDays(3.5, 1.0, 9.0),
        ReturnDays(90.0, None, None),
    ]
