"""Unsubscribing, from the warehouse to a model."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from features.local_day import local_midnight_us
from pipelines.attrition import train_attrition
from pipelines.config import Config
from training.attrition import PSEUDO_CONTACTS

UNTIL_US = local_midnight_us(date(2025, 11, 26), ZoneInfo("Europe/Berlin"))


def test_shares_of_the_shop(home: Config) -> None:
    fit = train_attrition(home, spec=home.feature_spec(), until_us=(UNTIL_US, UNTIL_US))
    report = fit.report
    assert list(report.contacts) == ["push", "email", "phone"]
    assert report.contacts["phone"] == 0 and report.shares["phone"] == 0.0
    assert report.contacts["push"] > 5
    for name in ("push", "email"):
        share = report.left[name] / (report.contacts[name] + PSEUDO_CONTACTS)
        assert report.shares[name] == pytest.approx(share)
    assert fit.model.rung == "shares"
    assert report.to_json()["rung"] == "shares"


def test_as_of_a_date_before_all_contacts_the_configuration_speaks(home: Config) -> None:
    early = local_midnight_us(date(2025, 9, 1), ZoneInfo("Europe/Berlin"))
    fit = train_attrition(home, spec=home.feature_spec(), until_us=(early, early))
    assert fit.model.rung == "configured"
    assert sum(fit.report.contacts.values()) == 0
