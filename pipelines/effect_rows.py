"""Reading logged assignments, contacts and histories into rows to learn effects from."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from features.history_reader import HistoryReader, read_columns
from features.progress import Progress, silent
from features.warehouse import Warehouse
from models.return_probability import ReturnModels
from pipelines.config import Config
from pipelines.engine import map_buckets
from scoring.decisions import TABLE_NAME as DECISIONS
from scoring.gain import list_actions
from training.assignment_contacts import (
    CONTACT_COLUMNS,
    JoinedContacts,
    concat_joined,
    contact_records,
    join_contacts,
)
from training.assignment_log import (
    ASSIGNMENT_COLUMNS,
    CONTACTED_ARMS,
    DECISION_COLUMNS,
    DECISION_EXTRAS,
    GHOST_ARM,
    AssignedRows,
    assigned_by_experiments,
    assigned_by_lists,
    join_assigned,
)
from training.assignment_outcome import ActionPrices
from training.assignment_rows import (
    BucketRows,
    EffectRows,
    bucket_rows,
    collect_rows,
    keep_sent,
    screen_assignments,
)
from training.assignment_views import RowPlan
from training.labels import window_us

ASSIGNMENTS = "assignments"
_JOINING, _FOLLOWING = "joining contacts", "following assignments"


def collect_effect_rows(
    config: Config,
    *,
    models: ReturnModels,
    until_us: tuple[int, int],
    versions: Mapping[str, int] | None = None,
    progress: Progress = silent,
) -> EffectRows:
    """Rows of all logged assignments whose outcomes are known at a training as-of.

    Every bucket's contacts and histories are read once. What is assigned, sent, ordered or
    recorded at or after the as-of, or arrives then, changes nothing.

    Parameters
    ----------
    config : the configuration; outcomes are valued at its prices.
    models : both champions, or the two models just trained.
    until_us : local midnight before which all days are complete, and the training as-of;
        `Folds.observed_until_us` and `Folds.trained_until_us`.
    versions : Delta version of each table; null means now.
    progress : told after each bucket.

    Raises
    ------
    ArtifactError : no warehouse.
    """
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=config.storage.buckets)
    plan = row_plan(config, models=models, until_us=until_us)
    assigned, screened = screen_assignments(read_assigned(config, warehouse), plan)
    specs = {bundle.spec.digest(): bundle.spec for bundle in (models.natural, models.risk)}
    readers = {
        digest: HistoryReader(warehouse, spec=spec, versions=versions)
        for digest, spec in specs.items()
    }
    contact_version = None if versions is None else versions.get("contacts")
    assigned = assigned.take(np.argsort(assigned.bucket, kind="stable"))
    # Without any assignment one bucket still says which features there are.
    buckets = np.unique(assigned.bucket).tolist() or [0]

    def joined_of(bucket: int) -> JoinedContacts:
        files = warehouse.files("contacts", bucket=bucket, version=contact_version)
        contacts = read_columns("contacts", files, columns=CONTACT_COLUMNS)
        return join_contacts(
            assigned.take(assigned.bucket == bucket),
            contact_records(contacts, known_before_us=plan.trained_until_us),
            actions=plan.prices.actions,
        )

    threads = config.training.learner.threads
    found = map_buckets(joined_of, buckets, threads=threads, progress=progress, task=_JOINING)
    sent, joined, unsent = keep_sent(assigned, concat_joined(found))

    def rows_of(bucket: int) -> BucketRows:
        mine = sent.bucket == bucket
        histories = {digest: reader.read(bucket) for digest, reader in readers.items()}
        return bucket_rows(sent.take(mine), joined.take(mine), histories, plan=plan)

    pieces = map_buckets(rows_of, buckets, threads=threads, progress=progress, task=_FOLLOWING)
    return collect_rows(pieces, screened + unsent, plan=plan)


def row_plan(config: Config, *, models: ReturnModels, until_us: tuple[int, int]) -> RowPlan:
    """What decides the rows, from the configuration; `until_us` as in `collect_effect_rows`."""
    return RowPlan(
        stages=config.stages,
        timezone=ZoneInfo(config.business.timezone),
        models=models,
        prices=action_prices(config),
        gap_us=window_us(config.windows.gap_days),
        horizon_us=window_us(config.windows.horizon_days),
        observed_until_us=until_us[0],
        trained_until_us=until_us[1],
    )


def action_prices(config: Config) -> ActionPrices:
    """All actions with the configuration's prices."""
    actions = list_actions(config.channels, config.offers)
    pairs = [(channel, offer) for channel in config.channels for offer in config.offers]
    value = [config.channels[channel].channel_value for channel, _ in pairs]
    return ActionPrices(
        actions=tuple(f"{channel}/{offer}" for channel, offer in pairs),
        gross_margin=config.business.gross_margin,
        discount=actions.discount,
        cost_on_return=actions.cost_on_return,
        contact_cost=actions.contact_cost,
        channel_value=np.array(value, dtype=np.float64),
    )


def read_assigned(config: Config, warehouse: Warehouse) -> AssignedRows:
    """All assignments that are logged: of nightly lists and imported ones."""
    actions = action_prices(config).actions
    return join_assigned(
        [
            assigned_by_lists(
                _listed(warehouse),
                actions=actions,
                timezone=ZoneInfo(config.business.timezone),
                valid_days=config.list.valid_days,
            ),
            assigned_by_experiments(
                warehouse.dataset(ASSIGNMENTS).to_table(columns=list(ASSIGNMENT_COLUMNS)),
                actions=actions,
                valid_days=config.list.valid_days,
            ),
        ]
    )


def _listed(warehouse: Warehouse) -> Any:
    """Rows of nightly lists, of the arms that effects are learnt from."""
    if not warehouse.has_table(DECISIONS):
        types = {"bucket": pa.int32(), "rank": pa.int32()}
        fields = [(name, types.get(name, pa.string())) for name in DECISION_COLUMNS]
        return pa.schema(fields).empty_table()
    dataset = warehouse.dataset(DECISIONS)
    extras = [name for name in DECISION_EXTRAS if name in dataset.schema.names]
    wanted = pa.array([GHOST_ARM, *CONTACTED_ARMS], pa.string())
    return dataset.to_table(
        columns=[*DECISION_COLUMNS, *extras],
        filter=pc.is_in(pads.field("arm"), value_set=wanted),
    )
