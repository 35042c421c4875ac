"""What an explanation says of waiting: the contact tonight, and the one it was left for."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np

from pipelines.look_ahead import look_ahead_of
from scoring.caution_words import caution_text
from scoring.effects import NightEffects
from scoring.night import prepare_night
from scoring.night_plan import plan_contacts
from scoring.night_policy import NightPolicy
from scoring.outcomes import NOT_YET, OUTCOMES
from scoring.policy import NightLimits
from scoring.scored import ScoredCustomers, select_scored
from scoring.scorer import Scorer
from scoring.segments import recorded_segments
from scoring.waiting import Prospects, compare_waiting


@dataclass(frozen=True, slots=True)
class WaitingView:
    """A contact tonight and a later one of a customer who was held back.

    Gains are those of the best action before what tonight's places and money cost, which
    depends on all customers; money in business.currency.

    Attributes
    ----------
    better_on : date of the list on which a contact is expected to be worth more.
    gain : of a contact tonight.
    later_gain : of one then, if nothing happens until then; seen from that day.
    p_return : probability that the customer returns without contact before it.
    """

    better_on: date
    gain: float
    later_gain: float
    p_return: float

    def sentence(self, currency: str | None, *, caution: float) -> str:
        """The same in words; `caution` is what is taken off both gains."""
        told = f"{caution_text(caution, language='en').capitalize()}, a" if caution else "A"
        return (
            f"{told} contact tonight is expected to gain {self.gain:z.2f} {currency}, one on "
            f"{self.better_on} {self.later_gain:z.2f} {currency} if nothing happens until then; "
            f"the chance of a return without contact before that is {self.p_return:.1%}. "
            "Before they were compared, what others would make of their places and money was "
            "taken off both."
        )


def view_waiting(
    scored: ScoredCustomers,
    row: int,
    policy: NightPolicy,
    *,
    scorer: Scorer,
    believed: NightEffects,
    decision: Mapping[str, Any],
) -> WaitingView | None:
    """Look ahead for one customer; null unless that night held them back.

    Null, too, where the rules as they are now leave nothing to wait for.

    Parameters
    ----------
    scored : the customer's whole bucket.
    row : the customer's position in it.
    decision : what was recorded of the customer.
    """
    if decision["exclusion"] != OUTCOMES[NOT_YET] or not policy.waiting.days:
        return None
    # Places and money are shared with others: of one customer alone only the caution counts.
    unlimited = replace(policy, limits=NightLimits(caution=policy.limits.caution))
    alone = prepare_night(
        select_scored(scored, np.array([row])),
        unlimited,
        effects=believed,
        order_values=np.array([decision["order_value"]]),
        segments=recorded_segments(decision),
    )
    if not len(alone.eligible):
        return None
    days = policy.waiting.days
    found = compare_waiting(
        Prospects(
            scored=scored,
            eligible=np.array([row]),
            offered=alone.offered,
            believed=believed,
            policy=unlimited,
        ),
        alone.contest,
        plan_contacts(alone.contest),
        rows=np.array([0]),
        ahead=look_ahead_of(scorer, scored, days=days, threads=1),
    )
    return WaitingView(
        better_on=policy.day + timedelta(days=days),
        gain=round(float(found.gain[0]), 4),
        later_gain=round(float(found.later_gain[0]), 4),
        p_return=round(float(found.p_return[0]), 6),
    )
