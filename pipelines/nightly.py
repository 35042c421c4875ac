"""`winback nightly`: score every customer and write tonight's recall list."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from features.progress import Progress, silent
from pipelines.config import Config
from pipelines.contamination import find_contamination
from pipelines.earlier_lists import is_recorded
from pipelines.engine import map_buckets
from pipelines.holdout_ledger import record_members
from pipelines.list_setting import list_setting
from pipelines.look_ahead import look_ahead_of
from pipelines.nightly_inputs import (
    ChampionModel,
    has_customer_records,
    provenance_of,
)
from pipelines.report.judgement import judgement_of
from pipelines.report.limit_prices import Allowance
from pipelines.report.manifest import build_manifest
from pipelines.report.notes import Background, night_notes
from pipelines.report.page import build_page
from pipelines.report.page_parts import Labels
from pipelines.report.summary import ModelUse, NightSummary, Setting, instant, summarise_night
from pipelines.scored_night import score_night
from pipelines.step_seconds import StepSeconds
from pipelines.wording import wording_of
from scoring.decisions import PARTITION, TABLE_NAME, build_decisions
from scoring.early_warning import early_warnings, who_is_left_alone
from scoring.list_files import ListFile, render_list_files
from scoring.list_rows import build_rows
from scoring.night import Night, decide_night
from scoring.night_policy import NightPolicy
from scoring.publishing import Published, check_publishable, list_folder, publish_list
from scoring.return_days import ReturnDays
from scoring.scored import ScoredCustomers
from scoring.scorer import Scorer

SCHEMA_VERSION = 1
_TOP_ROWS = 10

Status = Published | Literal["dry run"]


@dataclass(frozen=True, slots=True)
class NightlyReport:
    """What a nightly run did.

    Attributes
    ----------
    summary : the night's figures.
    status : "written", "replaced" (with force, or a list of nobody), "unchanged" (the same
        list was there already) or "dry run".
    folder : the list's folder; with a dry run, where it would be.
    files : names of the files in it.
    top_rows : the first ten rows of the list, by column.
    channel_labels : how operators call channels, by name.
    seconds : wall-clock seconds by step; in no file, as they differ from run to run.
    """

    summary: NightSummary
    status: Status
    folder: Path
    files: tuple[str, ...]
    top_rows: tuple[dict[str, Any], ...]
    channel_labels: Mapping[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """A JSON document with a schema version."""
        return {
            "schema_version": SCHEMA_VERSION,
            "status": self.status,
            "folder": str(self.folder),
            "files": list(self.files),
            **self.summary.to_json(),
            "top_rows": [
                {key: _plain(value) for key, value in row.items()} for row in self.top_rows
            ],
            "seconds": {step: round(spent, 3) for step, spent in self.seconds.items()},
        }


def run_nightly(
    config: Config,
    *,
    as_of: date | None = None,
    now: datetime,
    force: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> NightlyReport:
    """Score all customers at a local midnight and write the recall list of that day.

    Everything is a function of the configuration, the champions and what had arrived
    before the as-of: a rerun gives the same bytes.

    Parameters
    ----------
    as_of : local date whose midnight is the as-of; null means today.
    now : the present instant, for the default date and the note about a future as-of.
    force : replace a list of that day that differs.
    dry_run : do all the work, write nothing.

    Raises
    ------
    DataError : the as-of is before all data or beyond the horizon.
    ArtifactError : no warehouse, no champion, a champion trained for another
        configuration, or another list of that day exists.
    """
    steps = StepSeconds()
    ready = score_night(config, as_of=as_of, now=now, steps=steps, progress=progress)
    day, policy, scored, models = ready.day, ready.policy, ready.scored, ready.models
    warehouse, scorer, earlier, members = (
        ready.warehouse,
        ready.scorer,
        ready.earlier,
        ready.members,
    )
    night = decide_night(
        scored,
        policy,
        effects=ready.effects,
        is_holdout=members,
        ahead=look_ahead_of(
            scorer,
            scored,
            days=policy.waiting.days,
            threads=config.training.learner.threads,
            progress=progress,
        ),
        threads=config.training.learner.threads,
    )
    steps.end("deciding")
    provenance = provenance_of(config, models)
    told = _tell_listed(config, scorer, scored, night, progress=progress)
    steps.end("finding reasons")
    table = build_rows(
        scored,
        night,
        policy,
        reasons={row: one.reasons for row, one in told.items()},
        returns={row: one.returns for row, one in told.items() if one.returns is not None},
        provenance=provenance,
    )
    steps.end("building rows")
    uses = tuple(_use(model) for model in models.in_use)
    summary = summarise_night(
        scored,
        night,
        table,
        setting=_setting(config, policy, uses),
        notes=night_notes(
            scored,
            night,
            policy,
            background=Background(
                models=uses,
                language=config.business.language,
                has_records=has_customer_records(warehouse, as_of_us=policy.as_of_us),
                maps_zones=config.sources.customers.timezone is not None,
                unreported=earlier.unreported,
                contamination=find_contamination(warehouse, policy, ghosts=earlier.ghosts),
                no_return_time=models.absence,
                no_effects=models.assumption,
                now=now,
            ),
        ),
    )
    warnings = early_warnings(
        scored,
        night.segments,
        stages=policy.stages,
        left_alone=who_is_left_alone(scored, as_of_us=policy.as_of_us, is_holdout=members),
        max_rows=policy.rules.early_warning_rows,
    )
    steps.end("summing up")
    files = _render(config, summary, table, warnings=warnings, tables=scorer.versions)
    steps.end("making files")
    status: Status = "dry run"
    if not dry_run:
        check_publishable(config.lists_path, day.isoformat(), files, force=force)
        record_members(warehouse, ready.holdout, scored, members=members, policy=policy)
        # The list appears last: a reader who sees it finds the decisions behind it.
        decisions = build_decisions(
            scored,
            night,
            policy,
            listed=table,
            list_id=summary.list_id,
            provenance=provenance,
        )
        if not is_recorded(warehouse, day, decisions):
            warehouse.replace_partition(
                TABLE_NAME, decisions, column=PARTITION, value=day.isoformat()
            )
        steps.end("recording decisions")
        progress("writing the recall list", 0, 1)
        status = publish_list(config.lists_path, day.isoformat(), files, force=force)
        steps.end("writing the list")
        progress("writing the recall list", 1, 1)
    return NightlyReport(
        summary=summary,
        status=status,
        folder=list_folder(config.lists_path, day.isoformat()),
        files=tuple(file.name for file in files),
        top_rows=tuple(table.slice(0, _TOP_ROWS).to_pylist()),
        channel_labels={name: item.label for name, item in config.channels.items()},
        seconds=steps.spent(),
    )


@dataclass(frozen=True, slots=True)
class _Told:
    """What is said about one listed customer besides the numbers of the choice."""

    reasons: list[str]
    returns: ReturnDays | None


def _tell_listed(
    config: Config,
    scorer: Scorer,
    scored: ScoredCustomers,
    night: Night,
    *,
    progress: Progress,
) -> dict[int, _Told]:
    """Reasons and return times by position in `scored`.

    Only buckets with listed customers are read again.
    """
    rows = np.sort(night.eligible[night.listed])
    start_of = np.searchsorted(scored.bucket, np.arange(scorer.warehouse.n_buckets))
    wording = wording_of(config)
    buckets = np.unique(scored.bucket[rows]).tolist()

    def told_of(bucket: int) -> dict[int, _Told]:
        mine = rows[scored.bucket[rows] == bucket]
        view, places = scorer.view(bucket), mine - start_of[bucket]
        texts = scorer.reasons(
            view,
            places,
            wording=wording,
            tell_unsubscribed=False,
        )
        days: list[ReturnDays | None] = [*scorer.return_days(view, places)]
        return {
            row: _Told(text, returns)
            for row, text, returns in zip(
                mine.tolist(), texts, days or [None] * len(mine), strict=True
            )
        }

    parts = map_buckets(
        told_of,
        buckets,
        threads=config.training.learner.threads,
        progress=progress,
        task="finding reasons",
    )
    return {row: told for part in parts for row, told in part.items()}


def _render(
    config: Config,
    summary: NightSummary,
    table: pa.Table,
    *,
    warnings: pa.Table,
    tables: dict[str, int],
) -> list[ListFile]:
    files = render_list_files(table, list_setting(config, summary.day), warnings=warnings)
    files.append(
        build_page(
            summary,
            table,
            warnings=warnings,
            labels=Labels(
                channels={name: item.label for name, item in config.channels.items()},
                offers={name: item.label for name, item in config.offers.items()},
                stages={stage.name: stage.label for stage in config.stages},
            ),
        )
    )
    return [*files, build_manifest(summary, files, tables=tables)]


def _setting(config: Config, policy: NightPolicy, models: tuple[ModelUse, ...]) -> Setting:
    return Setting(
        day=policy.day,
        as_of_us=policy.as_of_us,
        business=config.business.name,
        timezone=config.business.timezone,
        currency=config.business.currency,
        language=config.business.language,
        gross_margin=policy.gross_margin,
        horizon_days=config.windows.horizon_days,
        allowance=Allowance(
            seats={name: item.capacity for name, item in policy.channels.items()},
            rows=policy.rules.max_rows,
            limits=policy.limits,
        ),
        acquisition_cost=config.business.acquisition_cost,
        config_digest=config.digest,
        models=models,
    )


def _use(model: ChampionModel[Any]) -> ModelUse:
    return ModelUse(
        kind=model.bundle.kind,
        version=model.version,
        digest=model.bundle.digest(),
        trained_until=instant(model.bundle.trained_until_us),
        source=model.source,
        judged=judgement_of(model.bundle.metrics),
    )


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
