"""Exclusion codes in an operator's words."""

from scoring.eligibility import FLAG_RULE

_WORDS = {
    "no_stage": "has not reached the first milestone of the ladder",
    "stage_not_recalled": "is on a stage from which nobody is recalled",
    "not_dormant": "is not dormant",
    "do_not_contact": "is marked do-not-contact",
    "control_window": "was a ghost control of an earlier list, whose window is not over yet",
    "cap_1d": "was contacted as often as the caps allow in the last day",
    "cap_7d": "was contacted as often as the caps allow in the last 7 days",
    "cap_30d": "was contacted as often as the caps allow in the last 30 days",
    "min_pause": "was contacted too recently for the shortest pause",
    "no_channel_configured": "no channel is configured",
    "no_eligible_channel": "has no channel that may be used tonight",
    "gain_below_minimum": "no allowed contact gains more than list.min_gain",
    "capacity_full": "the channels were full when the customer's turn came",
    "list_full": "the list had reached list.max_rows",
    "not_in_stage": "the channel is not used on this stage",
    "unsubscribed": "the customer has unsubscribed from the channel",
    "channel_cap_7d": "the channel's cap for 7 days is reached",
    "channel_cap_30d": "the channel's cap for 30 days is reached",
    "no_send_window": "quiet hours leave no send window",
}


def explain_code(code: str) -> str:
    """What an exclusion code of a customer or a channel means."""
    rule, _, flag = code.partition(":")
    if rule == FLAG_RULE:
        return f'the flag "{flag}" is not true: no consent, or not reachable'
    return _WORDS[code]
