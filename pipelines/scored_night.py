"""A night up to the point where everybody is scored: what choosing and what-if start from."""

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray

from features.progress import Progress, silent
from features.warehouse import Warehouse
from pipelines.config import Config
from pipelines.earlier_lists import (
    EarlierLists,
    hold_to_earlier_lists,
    reach_days,
    read_earlier_lists,
)
from pipelines.engine import map_buckets
from pipelines.holdout_ledger import Holdout, policy_under, read_holdout
from pipelines.lost_decisions import check_decisions
from pipelines.nightly_inputs import (
    Champions,
    build_scorer,
    check_span,
    list_day,
    load_champions,
    night_policy,
    nothing_arrived,
    open_warehouse,
)
from pipelines.step_seconds import StepSeconds
from scoring.effects import NightEffects
from scoring.night_policy import NightPolicy
from scoring.scored import ScoredCustomers, join_scored
from scoring.scorer import Scorer


@dataclass(frozen=True, slots=True)
class ScoredNight:
    """Everything that is known before anybody is chosen.

    Attributes
    ----------
    policy : with the holdout's salt and share in force.
    scored : all customers, held to what earlier lists ask for.
    members : shape (n,), who is in the holdout.
    effects : what contacts are believed to change.
    """

    day: date
    policy: NightPolicy
    warehouse: Warehouse
    holdout: Holdout
    models: Champions
    scorer: Scorer
    scored: ScoredCustomers
    earlier: EarlierLists
    members: NDArray[np.bool_]
    effects: NightEffects


def score_night(
    config: Config,
    *,
    as_of: date | None,
    now: datetime,
    steps: StepSeconds,
    progress: Progress = silent,
) -> ScoredNight:
    """Score all customers at a local midnight.

    Parameters
    ----------
    as_of : local date whose midnight is the as-of; null means today.
    now : the present instant, for the default date.
    steps : takes the time of each step.

    Raises
    ------
    DataError : the as-of is before all data or beyond the horizon.
    ArtifactError : no warehouse, no champion, or one trained for another configuration; an
        earlier list's decisions are lost.
    """
    day = list_day(config, as_of, now=now)
    policy = night_policy(config, day)
    warehouse = open_warehouse(config)
    check_span(config, warehouse, day)
    reach = reach_days(policy, control_days=config.control_days)
    check_decisions(warehouse, config.lists_path, day=day, reach_days=reach)
    holdout = read_holdout(warehouse, config.experiment, day=day)
    policy = policy_under(holdout, policy)
    models = load_champions(config)
    scorer = build_scorer(config, warehouse, policy, models)
    steps.end("models and tables")
    scored = score_customers(config, scorer, progress=progress)
    steps.end("scoring customers")
    if not len(scored):
        raise nothing_arrived(day)
    earlier = read_earlier_lists(warehouse, policy, control_days=config.control_days)
    scored = hold_to_earlier_lists(scored, earlier, policy)
    members = holdout.members(scored, day)
    effects = models.believed(policy)
    steps.end("earlier lists and holdout")
    return ScoredNight(
        day=day,
        policy=policy,
        warehouse=warehouse,
        holdout=holdout,
        models=models,
        scorer=scorer,
        scored=scored,
        earlier=earlier,
        members=members,
        effects=effects,
    )


def score_customers(
    config: Config, scorer: Scorer, *, progress: Progress = silent
) -> ScoredCustomers:
    """Score every bucket; customers by bucket, then id."""
    return join_scored(
        map_buckets(
            scorer.score,
            range(scorer.warehouse.n_buckets),
            threads=config.training.learner.threads,
            progress=progress,
            task="scoring customers",
        )
    )
