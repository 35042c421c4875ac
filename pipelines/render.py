"""Reports as terminal text. Each function takes one report and a console."""

from typing import TYPE_CHECKING

from rich.console import Console

from pipelines.render_audit import render_findings
from pipelines.render_effects import render_effects
from pipelines.render_return_time import render_return_time
from pipelines.terminal import text_table

if TYPE_CHECKING:
    from features.ingestion_summary import IngestSummary
    from pipelines.catalogue import FeatureCatalogue
    from pipelines.promotion import PromotionReport
    from pipelines.simulate import SimulationSummary
    from pipelines.status import WarehouseStatus
    from pipelines.train import TrainReport
    from training.ladder import FoldReport
    from training.metrics import Estimate

_WITH_INTERVAL = ("auc", "log_loss")
_WITHOUT_INTERVAL = ("brier", "ece", "calibration_slope", "lift_top_10pct")


def _counted(number: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def render_simulation(summary: "SimulationSummary", console: Console) -> None:
    """What was simulated and where it lies."""
    console.print(
        f"Simulated {summary.customers:,} customers with {summary.events:,} events and "
        f"{summary.contacts:,} contacts."
    )
    files = [*summary.events_files, summary.customers_file, summary.contacts_file]
    if summary.assignments_file is not None:
        console.print(f"Campaigns made {summary.assignments:,} assignments, controls included.")
        files.append(summary.assignments_file)
    if summary.truth is not None:
        files.append(summary.truth)
    for file in files:
        console.print(f"  {file}", soft_wrap=True)


def render_ingestion(summary: "IngestSummary", console: Console) -> None:
    """What became of every row."""
    if summary.no_op:
        console.print(f"{summary.kind}: nothing new, nothing written.")
    counts = [
        ("rows in", summary.rows_in),
        ("accepted", summary.accepted),
        ("duplicate", summary.duplicate),
        ("filtered by `where`", summary.filtered),
        ("ignored, unknown type", summary.ignored),
        *((f"rejected: {one.rule}", one.rows) for one in summary.rejects),
        ("local time in a clock gap", summary.clock_gap),
        ("local time in a clock overlap", summary.clock_overlap),
    ]
    always = {"rows in", "accepted", "duplicate"}
    if not summary.no_op:
        state = " (dry run, nothing written)" if summary.dry_run else ""
        console.print(
            text_table(
                f"{summary.kind}: {_counted(len(summary.files), 'file')}{state}",
                ["rows", "number"],
                [[name, f"{rows:,}"] for name, rows in counts if rows or name in always],
                numeric=1,
            )
        )
    for reject in summary.rejects:
        console.print(f"  {reject.rule}: {reject.meaning} ({', '.join(reject.examples)})")
    if summary.first is not None and summary.last is not None:
        console.print(
            f"  {summary.first:%Y-%m-%d %H:%M} to {summary.last:%Y-%m-%d %H:%M} UTC; "
            f"arrival: {summary.arrival_rule}"
        )
    for note in summary.notes:
        console.print(f"  {note}")


def render_features(catalogue: "FeatureCatalogue", console: Console) -> None:
    """Every feature with unit and meaning."""
    console.print(
        text_table(
            f"{len(catalogue.features)} features, manifest {catalogue.digest[:12]}",
            ["block", "feature", "unit", "meaning"],
            [[f.block, f.name, f.unit, f.meaning] for f in catalogue.features],
        )
    )


def render_training(report: "TrainReport", console: Console) -> None:
    """The ladder of each model on later data, and what is proven."""
    console.print(
        f"Trained on what had arrived before {report.as_of}, days complete up to "
        f"{report.observed_until}; {report.features} features; return window "
        f"{report.gap_days:g} to {report.gap_days + report.horizon_days:g} days after the cutoff."
    )
    for note in report.notes:
        console.print(f"  {note}")
    for model in report.models:
        test = model.test
        days = ", ".join(str(day) for day in test.days)
        console.print(
            text_table(
                f"{model.kind.replace('_', ' ')}: judged out of time at {days} "
                f"({test.rows:,} customers, base rate {test.base_rate:.1%})",
                ["forecaster", "AUC", "log loss", "Brier", "ECE", "slope", "lift 10 %"],
                _ladder_rows(test),
                numeric=1,
            )
        )
        fitted = (
            "at face value, as no fitted calibration is proven to be better"
            if model.calibration == "none"
            else f"{model.calibration} calibration on {model.calibration_rows:,} rows"
        )
        console.print(
            f"  the {model.shipped} serves; stack = {model.weights[0]:.2f} LightGBM + "
            f"{model.weights[1]:.2f} MBG/NBD, {fitted}; level there {model.level.value:+.2f} "
            f"({model.level.rule})"
        )
        for verdict in model.verdicts:
            console.print(f"  {verdict}")
        strongest = ", ".join(f"{name} {gain:.0%}" for name, gain in model.importance[:5])
        console.print(f"  strongest features by gain: {strongest}\n")
    render_return_time(report.return_time, console)
    if report.effects is not None:
        render_effects(report.effects, console)
    if report.audit is None:
        console.print("Leak audit: left out.")
    else:
        render_findings(report.audit, console)
    if report.tuning is not None:
        from pipelines.render_tuning import render_tuning

        render_tuning(report.tuning, console)
    for one in report.registrations:
        console.print(f"Registered {one.model} version {one.version} as {one.alias}.")
        if one.note is not None:
            console.print(f"  {one.note}")
    console.print(f"MLflow: {report.tracking_uri}", soft_wrap=True)
    challengers = [one for one in report.registrations if one.alias != "champion"]
    if challengers:
        console.print("The champion stays as it is. To serve the new version: `winback promote`.")


def _ladder_rows(fold: "FoldReport") -> list[list[str]]:
    return [
        [
            rung.name,
            *(_estimate_text(rung.metrics[metric]) for metric in _WITH_INTERVAL),
            *(f"{rung.metrics[metric].value:.3f}" for metric in _WITHOUT_INTERVAL),
        ]
        for rung in fold.ladder
    ]


def _estimate_text(estimate: "Estimate") -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def render_promotion(report: "PromotionReport", console: Console) -> None:
    """Which versions are champion now."""
    for one in report.registrations:
        console.print(f"{one.model} version {one.version} is {one.alias}.")
        if one.note is not None:
            console.print(f"  {one.note}")


def render_status(status: "WarehouseStatus", console: Console) -> None:
    """Tables, last ingestions, and rejects by rule."""
    console.print(
        text_table(
            f"{status.root}: {_counted(status.n_buckets, 'bucket')}, "
            f"{_counted(status.ingestions, 'ingestion')}",
            ["table", "version", "rows", "files", "buckets", "MB", "from (UTC)", "to (UTC)"],
            [
                [
                    table.name,
                    table.version,
                    f"{table.rows:,}",
                    table.files,
                    table.partitions,
                    f"{table.bytes / 1e6:,.1f}",
                    table.first and f"{table.first:%Y-%m-%d %H:%M}",
                    table.last and f"{table.last:%Y-%m-%d %H:%M}",
                ]
                for table in status.tables
            ],
            numeric=1,
        )
    )
    for last in status.last_ingestions:
        console.print(
            f"Last {last.kind}: {last.ingested_at:%Y-%m-%d %H:%M} UTC, "
            f"{_counted(len(last.files), 'file')}, {last.accepted:,} of {last.rows_in:,} rows "
            f"accepted, {last.rejected:,} rejected."
        )
    for total in status.rejects:
        console.print(f"Rejected {total.kind}, {total.rule}: {total.rows:,}")
    for held in status.holdout:
        until = f"left on {held.until}" if held.until else "in force"
        console.print(f"Holdout since {held.since}: {held.members:,} customers, {until}.")
    for found in status.contamination:
        console.print(
            f"Contacts to controls in 30 days, {found.channel}: {found.holdout:,} to the holdout, "
            f"{found.ghost:,} to ghosts."
        )
