"""The universal holdout: who is never contacted, for as long as a salt is in force."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from features.errors import DataError, describe
from scoring.draw import hash_draws
from scoring.policy import Experiment

BoolArray = NDArray[np.bool_]

HOLDOUT_KEY = "holdout"
"""The purpose in the key of the lasting draw."""


def holdout_members(
    ids: Sequence[str], *, experiment: Experiment, recorded: BoolArray | None = None
) -> BoolArray:
    """Whether each customer is holdout: by the salted hash, or recorded as such; shape (n,).

    The hash alone decides while `holdout_share` is not lowered. Who is recorded stays in
    until the salt is rotated: a customer who was held out last week and contacted this week
    would be neither a control nor a customer of the programme.

    Parameters
    ----------
    ids : n customer ids.
    experiment : with the salt in force.
    recorded : shape (n,), the ledger holds the customer under this salt; null means nobody.
    """
    draws = hash_draws(ids, key=(experiment.salt, HOLDOUT_KEY))
    members: BoolArray = draws[:, 0] < experiment.holdout_share
    return members if recorded is None else members | recorded


@dataclass(frozen=True, slots=True)
class SaltPeriod:
    """How long a salt has decided who is holdout, as the ledger knows it.

    Attributes
    ----------
    salt : the key of the draw.
    since : local date of the first night that recorded a member under it.
    until : local date on which its members left; null while it is in force.
    """

    salt: str
    since: date
    until: date | None


def salt_in_force(periods: Sequence[SaltPeriod], *, experiment: Experiment, day: date) -> str:
    """The salt that decides the holdout of a day.

    Of the salts of the ledger the first that had not ended by the day; a salt that the
    ledger does not know yet comes after them, from `rotated_on` on.

    Parameters
    ----------
    periods : of the ledger, the earliest first.
    experiment : as configured.
    day : local date of the list.

    Raises
    ------
    DataError : the configured salt is a new one without a date that makes it a rotation, or
        an old one again, or a rotation is dated but the salt has not changed.
    """
    if not periods:
        return experiment.salt
    rotated_on = date.fromisoformat(experiment.rotated_on) if experiment.rotated_on else None
    last = periods[-1]
    if experiment.salt == last.salt:
        if rotated_on is not None and rotated_on > last.since:
            raise _salt_not_changed(rotated_on, last)
        rotated_on = None
    elif experiment.salt in [period.salt for period in periods]:
        raise _salt_used_before(last)
    elif rotated_on is None or rotated_on <= last.since:
        raise _rotation_not_dated(rotated_on, last)
    if rotated_on is not None and day >= rotated_on:
        return experiment.salt
    return next((one.salt for one in periods if one.until is None or day < one.until), last.salt)


def _rotation_not_dated(rotated_on: date | None, last: SaltPeriod) -> DataError:
    found = "rotated_on is not set" if rotated_on is None else f"rotated_on is {rotated_on}"
    return DataError(
        describe(
            "experiment.salt",
            f"is not the salt under which the holdout has been drawn since {last.since}, and "
            f"{found}; customers of the old holdout would be contacted without a trace",
            expected=f"the old salt, or a rotation dated after {last.since}",
            fix="put the old salt back; or, to rotate the holdout, set experiment.rotated_on to "
            "the local date from which the new salt is in force",
        )
    )


def _salt_used_before(last: SaltPeriod) -> DataError:
    return DataError(
        describe(
            "experiment.salt",
            "is a salt of an earlier rotation, whose customers have been contacted since",
            expected=f"the salt in force since {last.since}, or one never used",
            fix="choose a new salt, and date the rotation with experiment.rotated_on",
        )
    )


def _salt_not_changed(rotated_on: date, last: SaltPeriod) -> DataError:
    return DataError(
        describe(
            "experiment.rotated_on",
            f"is {rotated_on}, but the salt is the one in force since {last.since}",
            expected="a new salt with the date of a rotation",
            fix="change experiment.salt too, or take experiment.rotated_on out",
        )
    )
