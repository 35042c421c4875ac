"""What can become of a candidate."""

OUTCOMES = (
    "listed",
    "gain_below_minimum",
    "capacity_full",
    "list_full",
    "outbid",
    "budget_spent",
    "segment_full",
    "not_yet",
)
LISTED, GAIN_BELOW_MINIMUM, CAPACITY_FULL, LIST_FULL = range(4)
OUTBID, BUDGET_SPENT, SEGMENT_FULL, NOT_YET = range(4, len(OUTCOMES))
"""An outcome's place is its code. Outbid: others bring more for tonight's seats and money."""

TRIAL_CHANCE = 0.25
"""Least probability that some action pays at which a customer may be listed on trial."""

UNLIMITED = -1
NO_ACTION = -1
