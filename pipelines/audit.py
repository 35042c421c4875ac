"""`winback audit`: does anything that models read know what came after its as-of?"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import GateError, describe
from features.history import History
from features.history_reader import HistoryReader, learn_vocabulary
from features.history_sample import customer_hashes, lowest_hashes, select_customers
from features.manifest import block_columns, feature_manifest
from features.progress import Progress, silent
from features.spec import FeatureSpec
from features.warehouse import Warehouse
from models.bundle import Kind
from models.forest import ForestSettings
from pipelines.config import Config
from pipelines.observation import plan_run
from training.folds import Folds
from training.leak_audit import AuditCutoffs, AuditRows, Check, LeakAudit
from training.leak_audit_attributes import AttributeColumns, check_attributes
from training.leak_audit_future import check_future, take_snapshot
from training.leak_audit_ranking import check_ranking
from training.leak_audit_records import RecordVersions, check_versions, count_versions, sum_versions
from training.leak_audit_split import check_splits
from training.leak_audit_terminal import check_terminal, count_followers
from training.leak_audit_times import check_times
from training.panel import PanelRows, build_panel, concat_rows

REPORT_SCHEMA = 1
TASK = "auditing for leaks"

SAMPLE_BUCKETS = 4
SAMPLE_CUSTOMERS = 2_000
SAMPLE_EVENTS = 400_000
SAMPLE_AS_OFS = 4
"""What the future is changed for: enough that a feature that peeks is sure to be met."""
PANEL_ROWS = 150_000
"""Rows with a label that are looked at, whole customers, per model."""
MAX_FIX = 3


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit of its own found.

    Attributes
    ----------
    as_of : local date; only what had arrived before its midnight was read.
    inputs : Delta version of each table.
    rows : rows with a label that were looked at, by model.
    seconds : that the checks took.
    audit : the checks.
    """

    as_of: date
    inputs: dict[str, int]
    rows: dict[Kind, int]
    seconds: float
    audit: LeakAudit

    def to_json(self) -> dict[str, Any]:
        """A JSON document with a schema version."""
        return {
            "schema_version": REPORT_SCHEMA,
            "as_of": self.as_of.isoformat(),
            "inputs": self.inputs,
            "rows": dict(self.rows),
            "seconds": round(self.seconds, 2),
            **self.audit.to_json(),
        }


def run_audit(
    config: Config, *, as_of: date | None = None, now: datetime, progress: Progress = silent
) -> AuditReport:
    """Audit what a training of that date would learn from, without training.

    Parameters
    ----------
    config : the configuration.
    as_of : local date of the training; null as in `run_train`.
    now : the present instant, for "today".
    progress : told what is being done.

    Raises
    ------
    ArtifactError : no warehouse.
    DataError : no events, or too short a history.
    """
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=config.storage.buckets)
    inputs = warehouse.versions()
    dates = plan_run(config, as_of, now=now, version=inputs["events"])
    folds = dates.folds
    spec = learn_vocabulary(warehouse, config.feature_spec(), folds.test_us, versions=inputs)
    reader = HistoryReader(warehouse, spec=spec, versions=inputs)
    rows = _sampled_rows(config, reader, warehouse.n_buckets, folds=folds, progress=progress)
    start = perf_counter()
    audit = audit_panel(
        config, reader, rows, n_buckets=warehouse.n_buckets, folds=folds, progress=progress
    )
    return AuditReport(
        as_of=dates.until,
        inputs=inputs,
        rows={kind: len(part.labels) for kind, part in rows.items()},
        seconds=perf_counter() - start,
        audit=audit,
    )


def audit_panel(
    config: Config,
    reader: HistoryReader,
    rows: Mapping[Kind, PanelRows],
    *,
    n_buckets: int,
    folds: Folds,
    progress: Progress = silent,
) -> LeakAudit:
    """Run all checks on a panel and on a sample of the customers behind it.

    Parameters
    ----------
    config : gives the stages and the learner's threads and seed.
    reader : reads the versions that the panel was built from.
    rows : all rows of the panel, by model.
    n_buckets : of the warehouse.
    folds : the panel's cutoffs.
    progress : told after each check.
    """
    spec = reader.spec
    manifest = feature_manifest(spec)
    names = tuple(feature.name for feature in manifest)
    categorical = np.array([feature.kind == "categorical" for feature in manifest])
    cutoffs = _cutoffs(folds)
    settings = _settings(config)
    total = 3 + 5 * len(rows)
    checks: list[Check] = []
    progress(TASK, 0, total)

    def add(check: Check) -> None:
        checks.append(check)
        progress(TASK, len(checks), total)

    histories = _sampled_histories(reader, n_buckets)
    seed = config.training.learner.seed
    as_ofs = _spread(cutoffs.as_ofs)
    add(check_future(histories, spec=spec, stages=config.stages, as_ofs=as_ofs, seed=seed))
    add(check_times(histories))
    versions = _count_versions(config, histories, spec=spec, as_ofs=as_ofs)
    add(check_versions(versions, spec.attributes))
    followers = count_followers(
        histories, spec=spec, stages=config.stages, reach_us=cutoffs.reach_us
    )
    static = block_columns(spec)["static"]
    columns = AttributeColumns(spec.attributes, tuple(range(static.start, static.stop)), names)
    for kind, part in rows.items():
        whole = AuditRows(part.values, part.labels, part.cutoff, part.customer)
        whole = whole.sampled(PANEL_ROWS)
        training = whole.take(cutoffs.training[whole.cutoff])
        ranking = check_ranking(training, subject=kind, names=names, categorical=categorical)
        add(ranking)
        add(check_terminal(training, followers, subject=kind, spec=spec))
        for check in check_splits(
            whole,
            subject=kind,
            names=names,
            categorical=categorical,
            cutoffs=cutoffs,
            settings=settings,
            best_alone=float(ranking.figures.get("best", 0.5)),
        ):
            add(check)
        add(
            check_attributes(
                whole, versions, subject=kind, columns=columns, cutoffs=cutoffs, settings=settings
            )
        )
    return LeakAudit(tuple(checks))


def require_clean(audit: LeakAudit) -> None:
    """Refuse to go on after an audit that found a leak.

    Raises
    ------
    GateError : names the failed checks, what they found, and what to do.
    """
    failed = audit.of("failed")
    if not failed:
        return
    findings = " ".join(f"[{check.title}] {check.meaning}" for check in failed[:MAX_FIX])
    fixes = "; ".join(dict.fromkeys(check.fix for check in failed if check.fix is not None))
    raise GateError(
        describe(
            "leak audit",
            f"{len(failed)} of {len(audit.checks)} checks found a leak, so nothing was trained or "
            f"registered: {findings.rstrip('.')}",
            expected="features that know nothing of what comes after their as-of",
            fix=f"{fixes}. See `winback audit` and docs/audit.md; `winback train --no-audit` "
            "trains all the same",
        )
    )


def _cutoffs(folds: Folds) -> AuditCutoffs:
    return AuditCutoffs(
        as_ofs=folds.as_ofs,
        training=np.array([cutoff.fold != "test" for cutoff in folds.cutoffs]),
        reach_us=folds.gap_us + folds.horizon_us,
    )


def _settings(config: Config) -> ForestSettings:
    """A forest too small for the verdict on a model, large enough to find what it can use."""
    learner = config.training.learner
    return ForestSettings(
        learning_rate=0.1,
        num_leaves=8,
        min_data_in_leaf=50,
        max_rounds=50,
        early_stopping_rounds=50,
        extra_trees=False,
        threads=learner.threads,
        seed=learner.seed,
    )


def _spread(as_ofs: NDArray[np.int64]) -> NDArray[np.int64]:
    """A few of the as-ofs, the first and the last among them."""
    picks = np.linspace(0, len(as_ofs) - 1, min(SAMPLE_AS_OFS, len(as_ofs)))
    return as_ofs[np.unique(np.round(picks).astype(np.int64))]


def _sampled_histories(reader: HistoryReader, n_buckets: int) -> list[History]:
    """Some customers of some buckets, the same ones each time."""
    buckets = np.unique(np.linspace(0, n_buckets - 1, min(SAMPLE_BUCKETS, n_buckets)).astype(int))
    return [_sample(reader.read(int(bucket)), parts=len(buckets)) for bucket in buckets]


def _sample(history: History, *, parts: int) -> History:
    """The customers with the lowest hashes, within a part of the sample's limits."""
    order = np.argsort(customer_hashes(history), kind="stable")[: SAMPLE_CUSTOMERS // parts]
    events = np.cumsum(np.diff(history.events.offsets)[order])
    kept = order[events <= max(SAMPLE_EVENTS // parts, int(events[:1].sum()))]
    return select_customers(history, np.sort(kept))


def _count_versions(
    config: Config, histories: list[History], *, spec: FeatureSpec, as_ofs: NDArray[np.int64]
) -> RecordVersions:
    static = block_columns(spec)["static"]
    parts = []
    for history in histories:
        rows = take_snapshot(history, spec=spec, stages=config.stages, as_ofs=as_ofs)
        found = np.where(np.isnan(rows.features[:, static]), -1.0, rows.features[:, static])
        parts.append(
            count_versions(
                history,
                as_ofs=as_ofs,
                rows=(rows.customer.astype(np.int64), rows.as_of),
                found=found.astype(np.int32),
            )
        )
    return sum_versions(parts)


def _sampled_rows(
    config: Config, reader: HistoryReader, n_buckets: int, *, folds: Folds, progress: Progress
) -> dict[Kind, PanelRows]:
    """The panel of as many buckets as give enough rows, of large ones a part."""
    task, found = "computing features and labels", 0
    most = PANEL_ROWS // len(folds.cutoffs)
    pieces: dict[Kind, list[PanelRows]] = {}
    for bucket in range(n_buckets):
        progress(task, bucket, n_buckets)
        history = reader.read(bucket)
        history = select_customers(history, lowest_hashes(customer_hashes(history), most))
        panel = build_panel(history, spec=reader.spec, stages=config.stages, folds=folds)
        for kind, rows in panel.rows.items():
            pieces.setdefault(kind, []).append(rows)
            found += len(rows.labels)
        if found >= PANEL_ROWS:
            break
    progress(task, n_buckets, n_buckets)
    return {kind: concat_rows(parts) for kind, parts in pieces.items()}
