"""`winback explain`: why somebody is, or is not, on the recall list."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.bucket import bucket_of
from features.errors import ArtifactError, DataError, describe
from features.history_reader import read_columns
from features.warehouse import Warehouse
from pipelines.config import Config
from pipelines.explanation import ActionView, ChannelView, Explanation, FeatureView
from pipelines.nightly_inputs import (
    ChampionModel,
    build_scorer,
    load_champions,
    night_policy,
    open_warehouse,
)
from scoring.arms import SENT_ARMS
from scoring.decisions import PARTITION, TABLE_NAME
from scoring.exclusion_words import explain_code
from scoring.gain import Actions, expected_gains, shifted_probability
from scoring.night import (
    EXCLUSIONS,
    NightPolicy,
    allowed_actions,
    decide_night,
    look_at_channels,
)
from scoring.scored import ScoredCustomers, select_scored
from scoring.scorer import Scorer

_TOP_FEATURES = 8
_DECISION_COLUMNS = (
    "customer_id",
    "order_value",
    "exclusion",
    "rank",
    "arm",
    "channel",
    "offer",
    "model_version",
)


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
    day = _decided_day(warehouse, as_of)
    bucket = bucket_of(customer_id, n_buckets=warehouse.n_buckets)
    decision = _read_decision(warehouse, day, customer_id)
    if decision is None:
        return _not_scored(warehouse, day, bucket, customer_id)
    policy = night_policy(config, day)
    models = load_champions(config)
    scorer = build_scorer(config, warehouse, policy, models)
    scored = scorer.score(bucket)
    row = _row_of(scored, customer_id)
    one = select_scored(scored, np.array([row]))
    case = _weigh(config, policy, one, models=models, decision=decision)
    return _explain_case(case, scorer, scored, row)


@dataclass(frozen=True, slots=True)
class _Case:
    """One customer's night: what was recorded, and the same rules applied to them alone.

    Attributes
    ----------
    alone : exclusion code that the rules give now, competitors left out.
    blocks : per channel the rule that closes it; empty without a stage.
    gains, allowed : per action; empty without a probability of return.
    """

    config: Config
    policy: NightPolicy
    models: tuple[ChampionModel, ChampionModel]
    decision: Mapping[str, Any]
    alone: str | None
    actions: Actions
    blocks: tuple[str | None, ...]
    gains: NDArray[np.float64]
    allowed: NDArray[np.bool_]


def _weigh(
    config: Config,
    policy: NightPolicy,
    one: ScoredCustomers,
    *,
    models: tuple[ChampionModel, ChampionModel],
    decision: Mapping[str, Any],
) -> _Case:
    order_values = np.array([decision["order_value"]])
    night = decide_night(one, policy, order_values=order_values)
    first = np.array([0])
    blocks: tuple[str | None, ...] = ()
    gains, allowed = np.zeros(0), np.zeros(0, dtype=np.bool_)
    if one.stage[0] >= 0:
        found, _ = look_at_channels(one, first, policy)
        blocks = tuple(found.names[code] or None for code in found.code[0])
        if not np.isnan(one.p_natural[0]):
            allowed = allowed_actions(found.is_open, one.stage, policy)[0]
            gains = expected_gains(
                one.p_natural,
                order_value=order_values,
                gross_margin=policy.gross_margin,
                actions=night.actions,
            )[0]
    return _Case(
        config=config,
        policy=policy,
        models=models,
        decision=decision,
        alone=EXCLUSIONS[int(night.exclusion[0])] or None,
        actions=night.actions,
        blocks=blocks,
        gains=gains,
        allowed=allowed,
    )


def _explain_case(case: _Case, scorer: Scorer, scored: ScoredCustomers, row: int) -> Explanation:
    decision, config = case.decision, case.config
    place = int(scored.stage[row])
    stage = config.stages[place] if place >= 0 else None
    dormant = bool(scored.dormant[row])
    model = case.models[1 if dormant else 0]
    reasons, features = _model_words(config, scorer, scored, row)
    return Explanation(
        customer_id=scored.customer_id[row].as_py(),
        day=case.policy.day,
        verdict=_verdict(case),
        is_scored=True,
        rank=decision["rank"],
        arm=decision["arm"],
        channel=decision["channel"],
        offer=decision["offer"],
        exclusion=decision["exclusion"],
        meaning=explain_code(decision["exclusion"]) if decision["exclusion"] else None,
        stage=stage.name if stage else None,
        stage_label=stage.label if stage else None,
        silence_days=_number(scored.silence_days[row]),
        dormant_after_days=stage.silence_days if stage else None,
        dormant=dormant,
        p_dormant=_number(scored.p_dormant[row]),
        p_return_natural=_number(scored.p_natural[row]),
        order_value=_number(decision["order_value"]),
        currency=config.business.currency,
        channels=_channel_views(case),
        actions=_action_views(case, float(scored.p_natural[row])),
        reasons=reasons,
        features=features,
        model=model.label,
        notes=_notes(case),
    )


def _verdict(case: _Case) -> str:
    decision = case.decision
    if decision["rank"] is None:
        return f"Not listed: {explain_code(decision['exclusion'])}."
    label = case.config.channels[decision["channel"]].label
    offer = case.config.offers[decision["offer"]].label
    if decision["arm"] in SENT_ARMS:
        how = f"to be contacted by {label} with {offer}"
    else:
        how = f"a control that is not contacted; it would have been {label} with {offer}"
    return f"Listed at rank {decision['rank']}, arm {decision['arm']}: {how}."


def _channel_views(case: _Case) -> tuple[ChannelView, ...]:
    views = []
    for number, code in enumerate(case.blocks):
        name = case.actions.channels[number]
        best = _best_of_channel(case, number)
        views.append(
            ChannelView(
                channel=name,
                label=case.config.channels[name].label,
                is_open=code is None,
                code=code,
                meaning=None if code is None else explain_code(code),
                offer=None if best is None else _pair(case, best)[1],
                gain=None if best is None else round(float(case.gains[best]), 4),
            )
        )
    return tuple(views)


def _best_of_channel(case: _Case, channel: int) -> int | None:
    if not len(case.gains):
        return None
    usable = np.flatnonzero(case.allowed & (case.actions.channel_of == channel))
    return int(usable[case.gains[usable].argmax()]) if len(usable) else None


def _action_views(case: _Case, p_natural: float) -> tuple[ActionView, ...]:
    contacted = shifted_probability(np.array([p_natural]), case.actions.shift)
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
            )
        )
    return tuple(views)


def _pair(case: _Case, action: int) -> tuple[str, str]:
    """Channel and offer of an action."""
    channel, offer = divmod(action, len(case.actions.offers))
    return case.actions.channels[channel], case.actions.offers[offer]


def _model_words(
    config: Config, scorer: Scorer, scored: ScoredCustomers, row: int
) -> tuple[tuple[str, ...], tuple[FeatureView, ...]]:
    if np.isnan(scored.p_natural[row]):
        return (), ()
    bucket, rows = int(scored.bucket[row]), np.array([row])
    labels = {name: channel.label for name, channel in config.channels.items()}
    said = scorer.reasons(
        bucket,
        rows,
        channel_labels=labels,
        order_name=config.business.order_name,
        currency=config.business.currency,
    )[0]
    parts, values = scorer.contributions(scorer.view(bucket), rows)
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
    return tuple(said), features


def _notes(case: _Case) -> tuple[str, ...]:
    notes = []
    now = " ".join(model.label for model in case.models)
    if case.decision["model_version"] != now:
        notes.append(
            f"The list was made with {case.decision['model_version']}; the scores shown are "
            f"those of the present champions, {now}."
        )
    competed = {"capacity_full", "list_full"}
    recorded = case.decision["exclusion"]
    if case.alone != recorded and recorded not in competed and case.alone not in competed:
        notes.append(
            "Configuration, models or data have changed since: the same rules would now give "
            f"{case.alone or 'a place on the list'}."
        )
    return tuple(notes)


def _decided_day(warehouse: Warehouse, as_of: date | None) -> date:
    mark = f"/{PARTITION}="
    paths = warehouse.files(TABLE_NAME) if warehouse.has_table(TABLE_NAME) else []
    days = sorted({date.fromisoformat(path.split(mark)[1].split("/")[0]) for path in paths})
    if not days or (as_of is not None and as_of not in days):
        wanted = f" of {as_of}" if as_of else ""
        raise ArtifactError(
            describe(
                f"table {TABLE_NAME}",
                f"no list{wanted} was written; {len(days)} days are there",
                examples=days[-3:],
                expected="a day for which `winback nightly` has run",
                fix="run `winback nightly --as-of DATE` first, or pass another --as-of",
            )
        )
    return as_of or days[-1]


def _read_decision(warehouse: Warehouse, day: date, customer_id: str) -> Mapping[str, Any] | None:
    mark = f"/{PARTITION}={day.isoformat()}/"
    files = [path for path in warehouse.files(TABLE_NAME) if mark in path]
    table = read_columns(TABLE_NAME, files, columns=_DECISION_COLUMNS)
    found = table.filter(pc.equal(table["customer_id"], customer_id)).to_pylist()
    return dict(found[0]) if found else None


def _not_scored(warehouse: Warehouse, day: date, bucket: int, customer_id: str) -> Explanation:
    stored = [
        name
        for name in ("events", "customers", "contacts")
        if _is_in(warehouse, name, bucket, customer_id)
    ]
    if not stored:
        raise DataError(
            describe(
                "explain",
                "this customer id is in none of the tables events, customers, contacts",
                expected="a customer_id exactly as it was ingested",
                fix="check its spelling, leading zeros included, or ingest the customer first",
            )
        )
    if "events" in stored:
        verdict = f"Not scored: no event of this customer had happened and arrived before {day}."
    else:
        verdict = f"Not scored: this customer has no events, only {' and '.join(stored)}."
    return Explanation(customer_id=customer_id, day=day, verdict=verdict, is_scored=False)


def _is_in(warehouse: Warehouse, name: str, bucket: int, customer_id: str) -> bool:
    files = warehouse.files(name, bucket=bucket)
    ids = read_columns(name, files, columns=("customer_id",))["customer_id"]
    return bool(pc.any(pc.equal(ids, customer_id), min_count=0).as_py())


def _row_of(scored: ScoredCustomers, customer_id: str) -> int:
    place = pc.index(scored.customer_id, pa.scalar(customer_id, pa.string())).as_py()
    if place < 0:
        raise ArtifactError(
            describe(
                f"table {TABLE_NAME}",
                "the customer was scored that night, but has no event in the warehouse now",
                expected="the events that the list was made from",
                fix="run `winback nightly` for that day again",
            )
        )
    return int(place)


def _number(value: Any) -> float | None:
    number = float(value)
    return None if np.isnan(number) else round(number, 6)
