"""Rows of the holdout on earlier lists, as what they would have been without a holdout."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scoring.arms import ARMS, draw_arms
from scoring.policy import Experiment
from scoring.pressure import DAY_US


def as_if_not_held_out(held: pa.Table, *, experiment: Experiment, control_days: float) -> pa.Table:
    """Give held-out rows the arm that their night's draw had for them, sent at midday.

    Nothing was sent, and yet a later list has to treat these customers as if it had been: who
    is never contacted would else be listed night after night, in the place of somebody to be
    contacted, and the holdout would be a larger share of lists than propensities say.

    Parameters
    ----------
    held : listed rows of earlier nights' holdout: customer_id, channel, as_of_us.
    experiment : with the salt in force.
    control_days : days from a list's as-of in which its ghosts are left alone.

    Returns
    -------
    A row each, in the same order: customer_id, arm (never holdout), channel, as_of_us, and
    sent_us and until_us (int64), when a contact would have been sent and until when a ghost
    would have been left alone.
    """
    as_of_us = held["as_of_us"].to_numpy()
    arm = np.empty(held.num_rows, dtype=np.int8)
    for night_us in np.unique(as_of_us):
        rows = np.flatnonzero(as_of_us == night_us)
        draws = draw_arms(
            held["customer_id"].take(rows).to_pylist(),
            experiment=experiment,
            as_of_us=int(night_us),
            is_holdout=np.zeros(len(rows), dtype=np.bool_),
        )
        arm[rows] = draws.arm
    return pa.table(
        {
            "customer_id": held["customer_id"],
            "arm": pa.array(ARMS, pa.string()).take(pa.array(arm)),
            "channel": held["channel"],
            "as_of_us": held["as_of_us"],
            "sent_us": pc.add(held["as_of_us"], DAY_US // 2),
            "until_us": pc.add(held["as_of_us"], round(control_days * DAY_US)),
        }
    )
