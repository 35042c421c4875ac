"""`winback evaluate-policy`: what policies would have earned on logged assignments."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from features.local_day import local_midnight_us
from features.progress import Progress, silent
from features.warehouse import Warehouse
from models.return_probability import ReturnModels
from pipelines.config import Config
from pipelines.earlier_lists import decided_days
from pipelines.effect_rows import collect_effect_rows
from pipelines.nightly_inputs import load_champions
from pipelines.observation import known_events, training_date
from pipelines.policy_absence import explain_absence
from pipelines.policy_bundle import LoadedEffect, load_effect
from pipelines.policy_model import effect_policy
from pipelines.policy_rows import PolicyRows, join_nights
from pipelines.policy_runs import log_evaluation
from pipelines.policy_sources import (
    PolicyRequest,
    ScoredPolicy,
    baseline_policy,
    list_policy,
    rows_of_lists,
    rule_policy,
)
from pipelines.tracking import check_reachable, shown_uri
from training.assignment_counts import AssignmentCounts
from training.policy_outcome import Outcome
from training.policy_support import Policy, Refused
from training.policy_value import PolicyReport, evaluate_policies
from training.uplift_curves import UpliftCurves, measure_uplift

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class PolicyEvaluation:
    """What the logged assignments say about some policies.

    Attributes
    ----------
    outcome : "profit" or "returns", per assignment.
    currency : of profit.
    policies : their names in the order of the report's values, the baseline last.
    actions : names of the actions in order, "none" left out.
    rows, customers : judged assignments and their customers.
    first_day, last_day : local dates of the judged assignments; null if there are none.
    report : values and differences, or why there are none.
    curves : of every policy that ranks customers.
    counts : what became of all assignments.
    notes : what a reader should know, a sentence each.
    run_id : the MLflow run; null if nothing was logged.
    tracking_uri : where MLflow is, without credentials; null likewise.
    """

    outcome: Outcome
    currency: str
    policies: tuple[str, ...]
    actions: tuple[str, ...]
    rows: int
    customers: int
    first_day: date | None
    last_day: date | None
    report: PolicyReport
    curves: tuple[UpliftCurves | Refused, ...]
    counts: AssignmentCounts
    notes: tuple[str, ...]
    run_id: str | None = None
    tracking_uri: str | None = None

    @property
    def refused(self) -> bool:
        """Whether a value or a difference that was asked for is not stated."""
        asked = (*self.report.values, *self.report.differences)
        return any(isinstance(one, Refused) for one in asked)

    def to_json(self) -> dict[str, Any]:
        """A JSON object; its layout is named by schema_version."""
        return {
            "schema_version": SCHEMA_VERSION,
            "outcome": self.outcome,
            "currency": self.currency,
            "policies": list(self.policies),
            "actions": ["none", *self.actions],
            "rows": self.rows,
            "customers": self.customers,
            "first_day": None if self.first_day is None else self.first_day.isoformat(),
            "last_day": None if self.last_day is None else self.last_day.isoformat(),
            "values": [_stated(one) for one in self.report.values],
            "differences": [
                _stated(one, **({} if isinstance(one, Refused) else {"verdict": one.verdict}))
                for one in self.report.differences
            ],
            "curves": [_stated(one) for one in self.curves],
            "assignments": self.counts.to_json(),
            "notes": list(self.notes),
            "run_id": self.run_id,
            "tracking_uri": self.tracking_uri,
        }


def run_evaluation(
    config: Config,
    request: PolicyRequest,
    *,
    outcome: Outcome = "profit",
    track: bool = True,
    now: datetime,
    progress: Progress = silent,
) -> PolicyEvaluation:
    """Judge policies on all logged assignments whose outcomes are known.

    Parameters
    ----------
    config : the configuration; outcomes are valued at its prices.
    request : the policies, what they are compared with, and the dates.
    outcome : money or returns.
    track : log to MLflow.
    now : the present instant, for "today".
    progress : told what is being done.

    Raises
    ------
    UsageError : the request makes no sense, or a rule cannot be read.
    DataError : no event is known.
    ArtifactError : no warehouse, no champion, no list of an asked date, or MLflow does not
        answer (checked before any work).
    """
    request.check()
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=config.storage.buckets)
    if track:
        check_reachable(config)
    effects = [load_effect(config, name) for name in request.models]
    rows, counts = _collect(config, warehouse, now=now, progress=progress)
    notes = list(counts.notes())
    usable = len(rows)
    rows = _within(rows_of_lists(rows, request, decided_days(warehouse)), request)
    rows, unseen = _unseen(rows, effects)
    notes += unseen
    progress("judging policies", 0, 1)
    asked = _policies(rows, request, effects, config)
    policies = [one.policy for one in (*asked, baseline_policy(rows, request.against))]
    notes += [_closed_note(one) for one in asked if one.closed]
    pairs = _pairs(len(asked))
    if len(rows):
        report = evaluate_policies(rows.sample, policies, pairs=pairs, outcome=outcome)
    else:
        absent = explain_absence(request, counts, config, usable=usable)
        report = PolicyReport(outcome, (absent,) * len(policies), (absent,) * len(pairs))
    curves = [_curves(rows, one, outcome, config) for one in asked]
    progress("judging policies", 1, 1)
    evaluation = PolicyEvaluation(
        outcome=outcome,
        currency=config.business.currency,
        policies=tuple(policy.name for policy in policies),
        actions=rows.sample.actions,
        rows=len(rows),
        customers=len(np.unique(rows.sample.cluster)),
        first_day=min(rows.day, default=None),
        last_day=max(rows.day, default=None),
        report=report,
        curves=tuple(one for one in curves if one is not None),
        counts=counts,
        notes=tuple(notes),
    )
    if not track:
        return evaluation
    run_id = log_evaluation(config, evaluation)
    return replace(evaluation, run_id=run_id, tracking_uri=shown_uri(config))


def _collect(
    config: Config, warehouse: Warehouse, *, now: datetime, progress: Progress
) -> tuple[PolicyRows, AssignmentCounts]:
    versions = warehouse.versions()
    timezone = ZoneInfo(config.business.timezone)
    until = training_date(config, None, now=now, version=versions["events"])
    until_us = local_midnight_us(until, timezone)
    known = known_events(config, until=until, until_us=until_us, version=versions["events"])
    champions = load_champions(config)
    found = collect_effect_rows(
        config,
        models=ReturnModels(risk=champions.risk.bundle, natural=champions.natural.bundle),
        # The last day that has events is not taken to be complete.
        until_us=(local_midnight_us(known.last_day, timezone), until_us),
        versions=versions,
        progress=progress,
    )
    return join_nights(found, config, warehouse), found.counts


def _within(rows: PolicyRows, request: PolicyRequest) -> PolicyRows:
    inside = np.ones(len(rows), dtype=np.bool_)
    if request.since is not None:
        inside &= rows.day >= request.since
    if request.until is not None:
        inside &= rows.day <= request.until
    return rows.take(inside)


def _unseen(
    rows: PolicyRows, effects: Sequence[LoadedEffect]
) -> tuple[PolicyRows, tuple[str, ...]]:
    """The rows assigned after the training of every model: the others it may know by heart."""
    if not effects:
        return rows, ()
    until_us = max(one.trained_until_us for one in effects)
    later = rows.sample.as_of_us >= until_us
    known = int(np.count_nonzero(~later))
    if not known:
        return rows, ()
    note = (
        f"{known:,} assignments from before the models' training are left out: what came of "
        "them may have been learnt."
    )
    return rows.take(later), (note,)


def _policies(
    rows: PolicyRows, request: PolicyRequest, effects: Sequence[LoadedEffect], config: Config
) -> list[ScoredPolicy]:
    listed = [list_policy(rows, request)] if request.lists else []
    models = [effect_policy(rows, one.effects, config, name=one.label) for one in effects]
    return [*listed, *models, *(rule_policy(rows, text) for text in request.rules)]


def _pairs(asked: int) -> list[tuple[int, int]]:
    """Every policy minus the baseline, which stands last; then the first minus the others."""
    return [*((at, asked) for at in range(asked)), *((0, at) for at in range(1, asked))]


def _closed_note(one: ScoredPolicy) -> str:
    return (
        f"{one.policy.name}: in {one.closed:,} rows the channel it names was closed to the "
        "customer; there it stands for no contact."
    )


def _curves(
    rows: PolicyRows, one: ScoredPolicy, outcome: Outcome, config: Config
) -> UpliftCurves | Refused | None:
    if one.score is None or one.contact is None or not len(rows):
        return None
    # Customers to whom every channel was closed cannot be ranked by what a contact brings, nor
    # those whose best contact nobody ever got.
    ranked = np.isfinite(one.score) & np.isin(one.contact, rows.sample.action)
    return measure_uplift(
        rows.sample.take(ranked),
        Policy(one.policy.name, one.contact[ranked]),
        one.score[ranked],
        outcome=outcome,
        rng=np.random.default_rng(config.training.learner.seed),
    )


def _stated(one: Any, **more: Any) -> dict[str, Any]:
    """A finding as JSON; `refused` says whether it is one."""
    return {"refused": isinstance(one, Refused), **_finite(asdict(one)), **more}


def _finite(value: Any) -> Any:
    """The same without infinities, which JSON does not have: an end that is not known is null."""
    if isinstance(value, dict):
        return {key: _finite(of) for key, of in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(of) for of in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
