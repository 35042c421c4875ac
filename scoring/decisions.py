"""What was decided for every scored customer, kept in the warehouse per as-of."""

import json

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.life_cycle import LIFE_CYCLES
from features.value_tier import VALUE_TIERS
from scoring.arms import ARMS
from scoring.follow_up_plan import followed_steps
from scoring.list_rows import Provenance, assigned_propensity
from scoring.night import EXCLUSIONS, Night
from scoring.night_policy import NightPolicy
from scoring.offered import expected_order_values
from scoring.promotion import BASES, PROMOTIONS
from scoring.recall_list import MONEY_DECIMALS, PROPENSITY_DECIMALS, TIME
from scoring.scored import ScoredCustomers
from scoring.segments import Segments

TABLE_NAME = "decisions"
PARTITION = "as_of"
SCHEMA = pa.schema(
    [
        pa.field("as_of", pa.string()),
        pa.field("customer_id", pa.string()),
        pa.field("bucket", pa.int32()),
        pa.field("stage", pa.string()),
        pa.field("silence_days", pa.float64()),
        pa.field("p_dormant", pa.float64()),
        pa.field("p_return_natural", pa.float64()),
        pa.field("order_value", pa.float64()),
        pa.field("best_channel", pa.string()),
        pa.field("best_offer", pa.string()),
        pa.field("best_gain", pa.float64()),
        pa.field("exclusion", pa.string()),
        pa.field("channel_blocks", pa.string()),
        pa.field("rank", pa.int32()),
        pa.field("arm", pa.string()),
        pa.field("channel", pa.string()),
        pa.field("offer", pa.string()),
        pa.field("list_id", pa.string()),
        pa.field("model_version", pa.string()),
        pa.field("config_hash", pa.string()),
        pa.field("propensity", pa.float64()),
        pa.field("action_propensity", pa.float64()),
        pa.field("list_row_id", pa.string()),
        pa.field("p_return_contacted", pa.float64()),
        pa.field("uplift", pa.float64()),
        pa.field("uplift_low", pa.float64()),
        pa.field("uplift_high", pa.float64()),
        pa.field("expected_gain", pa.float64()),
        pa.field("contact_cost", pa.float64()),
        pa.field("evidence", pa.string()),
        pa.field("effect_rung", pa.string()),
        pa.field("prices", pa.string()),
        pa.field("send_at_utc", TIME),
        pa.field("expires_at", TIME),
        pa.field("recommended_action", pa.string()),
        pa.field("follow_up_of", pa.string()),
        pa.field("follow_up_step", pa.int32()),
        pa.field("follow_up_channel", pa.string()),
        pa.field("follow_up_at", TIME),
        pa.field("life_cycle", pa.string()),
        pa.field("value_tier", pa.string()),
        pa.field("promotion", pa.string()),
        pa.field("promotion_basis", pa.string()),
        pa.field("send_basis", pa.string()),
    ]
)
"""`as_of` is the list's local date. `exclusion` is null for the listed; `channel_blocks`
says why channels are closed, as "sms=unsubscribed; phone=channel_cap_30d"; `order_value` is
what a return is worth before margin; the best action is the allowed one of the largest
gain, null for those not eligible; `channel` and `offer` are the listed ones. From
`propensity` on everything is null for those not listed, and missing in the files of days
that an earlier version decided. `action_propensity` is the probability of the action (for
ghosts: of no contact) given that the customer is listed and not holdout, null for the
holdout. `effect_rung` says what the effects rest on; `prices` is JSON of what one more unit
of money, row of the list and seat of each channel would have brought. `recommended_action`
is what the contact arm takes, as "sms/none", whatever the customer's own arm, and "none" for those
listed on trial: the policy that the list is. `follow_up_step` is 0 for a first contact, 1
for the first follow-up of one. `life_cycle` to `promotion_basis` are of everybody again
(docs/segments.md); `life_cycle` is null on stages that nobody is recalled from. `send_basis`
tells random hours of sending from chosen ones (docs/send-times.md)."""

_FROM_LIST = (
    "list_row_id",
    "propensity",
    "p_return_contacted",
    "uplift",
    "uplift_low",
    "uplift_high",
    "expected_gain",
    "contact_cost",
    "evidence",
    "send_at_utc",
    "send_basis",
    "expires_at",
    "follow_up_of",
    "follow_up_channel",
    "follow_up_at",
)


def build_decisions(
    scored: ScoredCustomers,
    night: Night,
    policy: NightPolicy,
    *,
    listed: pa.Table,
    list_id: str | None,
    provenance: Provenance,
) -> pa.Table:
    """One row per scored customer, by bucket and customer id.

    Parameters
    ----------
    listed : the rows of the list, as `scoring.list_rows.build_rows` makes them.
    list_id : of the list written that night; null if nobody is listed.
    """
    n_rows = len(scored)
    places = night.listed
    rank = np.zeros(n_rows, dtype=np.int32)
    rank[night.eligible[places]] = np.arange(1, len(places) + 1)
    arm = np.full(n_rows, -1, dtype=np.int64)
    arm[night.eligible[places]] = night.draws.arm[places]
    is_listed = rank > 0
    taken = np.full(n_rows, -1, dtype=np.int64)
    taken[night.eligible[places]] = night.choices.action[places]
    stages = [stage.name for stage in policy.stages]
    best, gain = _best_actions(n_rows, night)
    best_channel, best_offer = _split(best, night)
    taken_channel, taken_offer = _split(taken, night)
    columns = {
        "as_of": _constant(policy.day.isoformat(), n_rows),
        "customer_id": scored.customer_id,
        "bucket": pa.array(scored.bucket),
        "stage": _named(scored.stage.astype(np.int64), stages),
        "silence_days": pa.array(scored.silence_days, from_pandas=True),
        "p_dormant": pa.array(scored.p_dormant, from_pandas=True),
        "p_return_natural": pa.array(scored.p_natural, from_pandas=True),
        "order_value": pa.array(expected_order_values(scored, policy)),
        "best_channel": _named(best_channel, list(night.actions.channels)),
        "best_offer": _named(best_offer, list(night.actions.offers)),
        "best_gain": pa.array(gain, from_pandas=True),
        "exclusion": _named(night.exclusion.astype(np.int64) - 1, list(EXCLUSIONS[1:])),
        "channel_blocks": _block_texts(n_rows, night),
        "rank": pa.array(rank, mask=~is_listed),
        "arm": _named(arm, list(ARMS)),
        "channel": _named(taken_channel, list(night.actions.channels)),
        "offer": _named(taken_offer, list(night.actions.offers)),
        "list_id": _constant(list_id, n_rows),
        "model_version": _constant(provenance.model_version, n_rows),
        "config_hash": _constant(provenance.config_digest, n_rows),
        **_assignment_columns(rank.astype(np.int64) - 1, night, listed),
        "follow_up_step": pa.array(_follow_up_steps(scored, night, policy), mask=~is_listed),
        **_segment_columns(night.segments),
    }
    return pa.Table.from_arrays(
        [columns[field.name].cast(field.type) for field in SCHEMA], schema=SCHEMA
    )


def _segment_columns(segments: Segments) -> dict[str, pa.Array]:
    columns = (
        ("life_cycle", segments.life_cycle, LIFE_CYCLES),
        ("value_tier", segments.value_tier, VALUE_TIERS),
        ("promotion", segments.promotion.code, PROMOTIONS),
        ("promotion_basis", segments.promotion.basis, BASES),
    )
    return {name: _named(codes.astype(np.int64), list(names)) for name, codes, names in columns}


def _assignment_columns(
    place: NDArray[np.int64], night: Night, listed: pa.Table
) -> dict[str, pa.Array]:
    """What the log keeps of the listed alone; `place` in the list, -1 for the others."""
    taken = pa.array(place, mask=place < 0)
    action = np.round(assigned_propensity(night, night.listed).action, PROPENSITY_DECIMALS)
    own = {
        "action_propensity": pa.array(action, type=pa.float64(), from_pandas=True),
        "effect_rung": _constant(night.effects.effect.rung, listed.num_rows),
        "prices": _constant(_prices_text(night), listed.num_rows),
        "recommended_action": _named(
            night.choices.best_action[night.listed].astype(np.int64) + 1,
            ["none", *(f"{c}/{o}" for c in night.actions.channels for o in night.actions.offers)],
        ),
    }
    columns = {**{name: listed[name].combine_chunks() for name in _FROM_LIST}, **own}
    return {name: column.take(taken) for name, column in columns.items()}


def _follow_up_steps(
    scored: ScoredCustomers, night: Night, policy: NightPolicy
) -> NDArray[np.int64]:
    """Of all scored customers; 0 for those not listed."""
    steps = np.zeros(len(scored), dtype=np.int64)
    steps[night.eligible[night.listed]] = followed_steps(scored, night, policy).step
    return steps


def _prices_text(night: Night) -> str:
    """What one more unit of each limit would have brought, as JSON."""
    certificate = night.certificate
    return json.dumps(
        {
            "budget": round(certificate.budget_price, MONEY_DECIMALS),
            "row": round(certificate.row_price, MONEY_DECIMALS),
            "seats": {
                channel: round(float(price), MONEY_DECIMALS)
                for channel, price in zip(
                    night.actions.channels, certificate.seat_prices, strict=True
                )
            },
        }
    )


def count_exclusions(night: Night) -> dict[str, int]:
    """Scored customers by why they are not listed, in the order of the rules."""
    counts = np.bincount(night.exclusion, minlength=len(EXCLUSIONS))
    return {
        name: int(counts[code]) for code, name in enumerate(EXCLUSIONS) if code and counts[code]
    }


def count_channel_blocks(night: Night) -> dict[str, dict[str, int]]:
    """Per channel, the customers it is closed to by the rule that closes it."""
    return {
        channel: {
            rule: int(count)
            for code, rule in enumerate(night.blocks.names)
            if code and (count := (night.blocks.code[:, number] == code).sum())
        }
        for number, channel in enumerate(night.actions.channels)
    }


def channel_block_text(night: Night, place: int) -> str | None:
    """Why channels are closed to one of the asked customers; null if all are open."""
    parts = [
        f"{channel}={night.blocks.names[code]}"
        for channel, code in zip(night.actions.channels, night.blocks.code[place], strict=True)
        if code
    ]
    return "; ".join(parts) or None


def _best_actions(n_rows: int, night: Night) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    best = np.full(n_rows, -1, dtype=np.int64)
    gain = np.full(n_rows, np.nan)
    if night.allowed.size:
        masked = np.where(night.allowed, night.gains, -np.inf)
        best[night.eligible] = masked.argmax(axis=1)
        gain[night.eligible] = masked.max(axis=1)
    return best, gain


def _split(action: NDArray[np.int64], night: Night) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Channel and offer codes of actions; -1 stays -1."""
    offers = len(night.actions.offers)
    return np.where(action < 0, -1, action // offers), np.where(action < 0, -1, action % offers)


def _block_texts(n_rows: int, night: Night) -> pa.Array:
    """Every pattern of closed channels is put into words once."""
    which = np.full(n_rows, -1, dtype=np.int64)
    texts: list[str | None] = []
    if night.blocks.code.size:
        # One number per row: comparing whole rows takes ten times as long.
        pattern = np.zeros(len(night.blocks.code), dtype=np.int64)
        for codes in night.blocks.code.T:
            numbers = pa.array(pattern * len(night.blocks.names) + codes).dictionary_encode()
            pattern = numbers.indices.to_numpy().astype(np.int64)
        _, first = np.unique(pattern, return_index=True)
        texts = [channel_block_text(night, int(place)) for place in first]
        which[night.asked] = pattern
    return _named(which, texts)


def _named(codes: NDArray[np.int64], names: list[str] | list[str | None]) -> pa.Array:
    indices = pa.array(codes, mask=codes < 0)
    return pa.array(names, type=pa.string()).take(indices)


def _constant(text: str | None, n_rows: int) -> pa.Array:
    return pa.array([text], type=pa.string()).take(pa.array(np.zeros(n_rows, dtype=np.int64)))
