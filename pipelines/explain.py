"""`winback explain`: why somebody is, or is not, on the recall list."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.bucket import bucket_of
from models.effect_design import NO_OFFER
from pipelines.config import Config
from pipelines.earlier_lists import hold_to_earlier_lists, read_earlier_lists
from pipelines.explain_follow_up import view_follow_up
from pipelines.explain_listed import view_listed
from pipelines.explain_lookup import decided_day, explain_unscored, read_decision, row_of
from pipelines.explain_waiting import view_waiting
from pipelines.explanation import ActionView, ChannelView, Explanation, FeatureView
from pipelines.nightly_inputs import (
    Champions,
    build_scorer,
    load_champions,
    night_policy,
    open_warehouse,
    provenance_of,
)
from pipelines.wording import wording_of
from scoring.arms import SENT_ARMS
from scoring.contest import cautious_gains
from scoring.eligibility import stage_channel_order
from scoring.exclusion_words import CONFIG_KEYS, explain_code
from scoring.gain import Actions
from scoring.night import EXCLUSIONS, decide_night, look_at_channels
from scoring.night_policy import NightPolicy
from scoring.offered import allowed_actions
from scoring.outcomes import CAPACITY_FULL, OUTCOMES
from scoring.policy import Channel, Offer
from scoring.return_days import NO_RETURN_DAYS, ReturnDays
from scoring.scored import ScoredCustomers, select_scored
from scoring.scorer import Scorer
from scoring.segments import apply_promotion, recorded_segments

_TOP_FEATURES = 8


def explain(config: Config, customer_id: str, *, as_of: date | None = None) -> Explanation:
    """Tell why a customer is, or is not, on the recall list of a day.

    What was decided is read from the `decisions` table; scores, rules and gains are
    computed again from the customer's bucket.

    Parameters
    ----------
    as_of : local date of the list; null means the latest that was written.

    Raises
    ------
    ArtifactError : no list of that day was written.
    DataError : the customer is not in the warehouse.
    """
    warehouse = open_warehouse(config)
    day = decided_day(warehouse, as_of)
    bucket = bucket_of(customer_id, n_buckets=warehouse.n_buckets)
    decision = read_decision(warehouse, day, customer_id)
    if decision is None:
        return explain_unscored(warehouse, day, bucket, customer_id)
    policy = night_policy(config, day)
    models = load_champions(config)
    scorer = build_scorer(config, warehouse, policy, models)
    earlier = read_earlier_lists(warehouse, policy, control_days=config.control_days)
    scored = hold_to_earlier_lists(scorer.score(bucket), earlier, policy)
    row = row_of(scored, customer_id)
    one = select_scored(scored, np.array([row]))
    case = _weigh(config, policy, one, models=models, decision=decision)
    waiting = view_waiting(
        scored, row, policy, scorer=scorer, believed=models.believed(policy), decision=decision
    )
    return replace(_explain_case(case, scorer, scored, row), waiting=waiting)


@dataclass(frozen=True, slots=True)
class _Case:
    """One customer's night: what was recorded, and the same rules applied to them alone.

    Attributes
    ----------
    stage : place in the ladder, -1 before its first step.
    alone : exclusion code that the rules give now, competitors left out.
    blocks : per channel the rule that closes it; empty without a stage.
    gains, cautious, allowed : per action; empty without a probability of return.
    """

    config: Config
    policy: NightPolicy
    models: Champions
    decision: Mapping[str, Any]
    stage: int
    alone: str | None
    actions: Actions
    blocks: tuple[str | None, ...]
    gains: NDArray[np.float64]
    cautious: NDArray[np.float64]
    contacted: NDArray[np.float64]
    allowed: NDArray[np.bool_]


def _weigh(
    config: Config,
    policy: NightPolicy,
    one: ScoredCustomers,
    *,
    models: Champions,
    decision: Mapping[str, Any],
) -> _Case:
    order_values = np.array([decision["order_value"]])
    believed = models.believed(policy)
    segments = recorded_segments(decision)
    night = decide_night(
        one, policy, effects=believed, order_values=order_values, segments=segments
    )
    first = np.array([0])
    blocks: tuple[str | None, ...] = ()
    gains, contacted, allowed = np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.bool_)
    cautious = gains
    if one.stage[0] >= 0:
        found, _ = look_at_channels(one, first, policy)
        blocks = tuple(found.names[code] or None for code in found.code[0])
        if not np.isnan(one.p_natural[0]):
            allowed = allowed_actions(found.is_open, one.stage, policy)[0]
            weighed = believed.weigh(
                one.p_natural, one.effect_x, names=one.effect_names, actions=night.actions
            )
            terms = night.actions.terms(policy.gross_margin)
            expected = weighed.gains(order_value=order_values, terms=terms)
            gains = expected[0]
            cautious = cautious_gains(
                expected,
                weighed,
                order_value=order_values,
                terms=terms,
                caution=policy.limits.caution,
            )[0]
            _, promoted = apply_promotion(
                night.segments,
                first,
                weighed,
                order_value=order_values,
                actions=night.actions,
                gross_margin=policy.gross_margin,
            )
            allowed &= promoted[0]
            contacted = weighed.contacted()[0]
    return _Case(
        config=config,
        policy=policy,
        models=models,
        decision=decision,
        stage=int(one.stage[0]),
        alone=EXCLUSIONS[int(night.exclusion[0])] or None,
        actions=night.actions,
        blocks=blocks,
        gains=gains,
        cautious=cautious,
        contacted=contacted,
        allowed=allowed,
    )


def _explain_case(case: _Case, scorer: Scorer, scored: ScoredCustomers, row: int) -> Explanation:
    decision, config = case.decision, case.config
    stage = config.stages[case.stage] if case.stage >= 0 else None
    dormant = bool(scored.dormant[row])
    model = case.models.natural if dormant else case.models.risk
    reasons, features, returns = _model_words(case, scorer, scored, row)
    expected, low, high = returns.dates(case.policy.day)
    return Explanation(
        customer_id=scored.customer_id[row].as_py(),
        day=case.policy.day,
        verdict=_verdict(case),
        is_scored=True,
        rank=decision["rank"],
        arm=decision["arm"],
        channel=decision["channel"],
        offer=decision["offer"],
        row=view_listed(config, scored, row, decision=decision),
        exclusion=decision["exclusion"],
        meaning=_meaning(case) if decision["exclusion"] else None,
        stage=stage.name if stage else None,
        stage_label=stage.label if stage else None,
        silence_days=_floored(scored.silence_days[row]),
        dormant_after_days=stage.silence_days if stage else None,
        dormant=dormant,
        p_dormant=_number(scored.p_dormant[row]),
        p_return_natural=_number(scored.p_natural[row]),
        horizon_days=config.windows.horizon_days,
        next_order_expected=expected,
        next_order_low=low,
        next_order_high=high,
        order_value=_number(decision["order_value"]),
        currency=config.business.currency,
        life_cycle=decision.get("life_cycle"),
        value_tier=decision.get("value_tier"),
        promotion=decision.get("promotion"),
        promotion_basis=decision.get("promotion_basis"),
        no_offer_made=_no_offer_made(case),
        follow_up=view_follow_up(config, scored, row, decision=decision),
        caution=case.policy.limits.caution,
        channels=_channel_views(case),
        actions=_action_views(case, float(scored.p_natural[row])),
        reasons=reasons,
        features=features,
        model=model.label if features else None,
        notes=_notes(case),
    )


def _meaning(case: _Case) -> str:
    """Why somebody is not listed, and where that is set.

    The command speaks English whatever the list's language is.
    """
    code = case.decision["exclusion"]
    told = explain_code(code, language="en", caution=case.policy.limits.caution)
    return f"{told} [{CONFIG_KEYS[code]}]" if code in CONFIG_KEYS else told


def _verdict(case: _Case) -> str:
    decision = case.decision
    if decision["rank"] is None:
        return f"Not listed: {_meaning(case)}."
    label = _label(case.config.channels, decision["channel"])
    offer = _label(case.config.offers, decision["offer"])
    if decision["arm"] in SENT_ARMS:
        how = f"to be contacted by {label} with {offer}"
    else:
        how = f"a control that is not contacted; it would have been {label} with {offer}"
    return f"Listed at rank {decision['rank']}, arm {decision['arm']}: {how}."


def _label(known: Mapping[str, Channel] | Mapping[str, Offer], name: str) -> str:
    """How operators call it; its name if it was taken out of the configuration since."""
    return known[name].label if name in known else name


def _channel_views(case: _Case) -> tuple[ChannelView, ...]:
    views = []
    for number in _ladder(case):
        code, name = case.blocks[number], case.actions.channels[number]
        best = _best_of_channel(case, number)
        views.append(
            ChannelView(
                channel=name,
                label=case.config.channels[name].label,
                is_open=code is None,
                code=code,
                meaning=None if code is None else explain_code(code, language="en"),
                offer=None if best is None else _pair(case, best)[1],
                gain=None if best is None else round(float(case.gains[best]), 4),
                cautious_gain=None if best is None else round(float(case.cautious[best]), 4),
            )
        )
    return tuple(views)


def _ladder(case: _Case) -> list[int]:
    """Channel codes as follow-ups go on through them; those the stage does not use come last."""
    if not case.blocks:
        return []
    order = stage_channel_order(case.config.stages, case.actions.channels)[case.stage].tolist()
    ladder = [code for code in order if code >= 0]
    return ladder + [code for code in range(len(case.blocks)) if code not in ladder]


def _best_of_channel(case: _Case, channel: int) -> int | None:
    if not len(case.gains):
        return None
    usable = np.flatnonzero(case.allowed & (case.actions.channel_of == channel))
    return int(usable[case.cautious[usable].argmax()]) if len(usable) else None


def _action_views(case: _Case, p_natural: float) -> tuple[ActionView, ...]:
    contacted = case.contacted
    views = []
    for action in range(len(case.gains)):
        channel, offer = _pair(case, action)
        views.append(
            ActionView(
                channel=channel,
                offer=offer,
                allowed=bool(case.allowed[action]),
                p_return_contacted=round(float(contacted[action]), 6),
                uplift=round(float(contacted[action]) - p_natural, 6),
                gain=round(float(case.gains[action]), 4),
                cautious_gain=round(float(case.cautious[action]), 4),
            )
        )
    return tuple(views)


def _pair(case: _Case, action: int) -> tuple[str, str]:
    """Channel and offer of an action."""
    channel, offer = divmod(action, len(case.actions.offers))
    return case.actions.channels[channel], case.actions.offers[offer]


def _model_words(
    case: _Case, scorer: Scorer, scored: ScoredCustomers, row: int
) -> tuple[tuple[str, ...], tuple[FeatureView, ...], ReturnDays]:
    if np.isnan(scored.p_natural[row]):
        return (), (), NO_RETURN_DAYS
    bucket, rows = int(scored.bucket[row]), np.array([row])
    view = scorer.view(bucket)
    said = scorer.reasons(
        view,
        rows,
        wording=wording_of(case.config),
        tell_unsubscribed=case.decision["rank"] is None,
    )[0]
    parts, values = scorer.contributions(view, rows)
    names = scorer.natural.feature_names
    strongest = np.argsort(-np.abs(parts[0]), kind="stable")[:_TOP_FEATURES]
    features = tuple(
        FeatureView(
            name=names[column],
            value=_number(values[0, column]),
            log_odds=round(float(parts[0, column]), 4),
        )
        for column in strongest
        if parts[0, column]
    )
    days = scorer.return_days(view, rows) or [NO_RETURN_DAYS]
    return tuple(said), features, days[0]


def _no_offer_made(case: _Case) -> bool | None:
    """Whether the stage or promotion sensitivity leaves only "none"; null where nothing is."""
    open_actions = np.flatnonzero(case.allowed)
    if not len(open_actions):
        return None
    return all(_pair(case, int(action))[1] == NO_OFFER for action in open_actions)


def _notes(case: _Case) -> tuple[str, ...]:
    notes = []
    now = provenance_of(case.config, case.models)
    if case.decision["model_version"] != now.model_version:
        notes.append(
            f"The list was made with {case.decision['model_version']}; the scores shown are "
            f"those of the present champions, {now.model_version}."
        )
    if case.decision["config_hash"] != now.config_digest:
        notes.append(
            "winback.toml has changed since the list was made; the rules and gains shown are "
            "those of the present one."
        )
    # What a customer is alone does not tell how they fare among others.
    competed = set(OUTCOMES[CAPACITY_FULL:])
    recorded = case.decision["exclusion"]
    if case.alone != recorded and recorded not in competed and case.alone not in competed:
        notes.append(
            "Configuration, models or data have changed since: the same rules would now give "
            f"{case.alone or 'a place on the list'}."
        )
    return tuple(notes)


def _number(value: Any) -> float | None:
    number = float(value)
    return None if np.isnan(number) else round(number, 6)


def _floored(days: float) -> float | None:
    """Days that have passed in full stay what the reasons say: 486.9999999 is not 487."""
    return None if np.isnan(days) else math.floor(float(days) * 1e6) / 1e6
