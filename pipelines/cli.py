"""The `winback` command: parse, load the configuration, one call, render."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.errors import WinbackError
from pipelines.cli_exit import (
    end_after_typer,
    end_with_bug,
    end_with_fault,
    end_with_system_fault,
    end_without_reader,
)
from pipelines.cli_list import add_list_commands
from pipelines.cli_models import add_model_commands
from pipelines.cli_options import (
    AsOf,
    ConfigPath,
    DryRun,
    Here,
    Json,
    emit,
    load,
    now,
    parse_date,
)
from pipelines.cli_plan import add_plan_command
from pipelines.cli_simulate import add_simulate_command

if TYPE_CHECKING:
    from features.contract import Kind

app = typer.Typer(
    name="winback",
    help="Tell an operations team, every night, whom to win back, how, and why.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
ingest_app = typer.Typer(
    help="Read raw files into the warehouse.", no_args_is_help=True, rich_markup_mode="markdown"
)
features_app = typer.Typer(
    help="Look at the features models are built from.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
app.add_typer(ingest_app, name="ingest")
app.add_typer(features_app, name="features")

Paths = Annotated[list[str], typer.Argument(help="Files or globs: CSV, Parquet, JSON lines; .gz.")]
RejectShare = Annotated[
    float,
    typer.Option(min=0.0, max=1.0, help="Abort before any commit above this share of bad rows."),
]
Backfill = Annotated[
    bool,
    typer.Option("--backfill", help="History, not news: it arrived when it happened."),
]
Preset = Annotated[str, typer.Option(help="retail or lending.")]
LanguageName = Annotated[str, typer.Option("--language", help="Of lists and reports: en or zh.")]


def main() -> None:
    """Run the command and turn faults into messages and exit codes."""
    # Waiting OpenMP threads must not spin: on a machine that others use too, LightGBM then
    # takes ten times as long. Read by the OpenMP runtime when it is loaded, so set first.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # Our matrices are small; BLAS threads would only wait for each other.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        app()
    except WinbackError as error:
        end_with_fault(error)
    except SystemExit as stop:
        end_after_typer(stop)
    except BrokenPipeError:
        end_without_reader()
    except OSError as error:
        end_with_system_fault(error)
    except Exception as error:  # noqa: BLE001  the one place that may catch everything
        end_with_bug(error)


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Tell an operations team, every night, whom to win back, how, and why."""
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"winback {installed('winback')}")
        raise typer.Exit


@app.command(epilog="Example: `winback init --preset retail`")
def init(
    preset: Preset = "retail",
    folder: Annotated[Path, typer.Option(help="Where to write winback.toml.")] = Here,
    language: LanguageName = "en",
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    stdout: Annotated[bool, typer.Option("--stdout", help="Print it instead.")] = False,
    as_json: Json = False,
) -> None:
    """Write a commented winback.toml for a shop or a lending app."""
    from pipelines.init import preset_text, read_language, write_config
    from pipelines.terminal import print_json

    if stdout:
        typer.echo(preset_text(preset, read_language(language)), nl=False)
        return
    path = write_config(preset, folder, language=read_language(language), force=force)
    if as_json:
        print_json({"schema_version": 1, "preset": preset, "path": str(path)})
    else:
        typer.echo(f"Wrote {path}. Next: map your columns in [sources], then `winback ingest`.")


@app.command(epilog="Example: `winback demo --preset lending`")
def demo(
    preset: Preset = "retail",
    folder: Annotated[
        Path | None, typer.Option(help="Where to work. Default: ./winback-demo-PRESET.")
    ] = None,
    customers: Annotated[
        int, typer.Option(min=2_000, help="Simulated customers; lending needs 5,000 or more.")
    ] = 20_000,
    days: Annotated[int, typer.Option(min=365, help="Simulated days.")] = 730,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulation.")] = 7,
    language: LanguageName = "en",
    as_json: Json = False,
) -> None:
    """Simulate an app, ingest, train, score last night and write the recall list."""
    from pipelines.demo import check_demo_size, run_demo
    from pipelines.init import read_language
    from pipelines.terminal import progress_bars

    check_demo_size(preset, customers)
    with progress_bars() as progress:
        report = run_demo(
            preset,
            folder=folder or Path(f"winback-demo-{preset}"),
            customers=customers,
            days=days,
            seed=seed,
            now=now(),
            language=read_language(language),
            progress=progress,
        )
    emit(report, as_json, "pipelines.render_night:render_demo")


def _add_ingest_command(kind: "Kind", meaning: str, example: str) -> None:
    @ingest_app.command(kind, help=meaning, epilog=f"Example: `winback ingest {kind} {example}`")
    def ingest(
        paths: Paths,
        config: ConfigPath = Here,
        dry_run: DryRun = False,
        max_reject_share: RejectShare = 0.01,
        backfill: Backfill = False,
        as_json: Json = False,
    ) -> None:
        from pipelines.ingest import run_ingest
        from pipelines.terminal import progress_bars

        loaded = load(config)
        with progress_bars() as progress:
            summary = run_ingest(
                loaded,
                kind,
                paths,
                dry_run=dry_run,
                max_reject_share=max_reject_share,
                backfill=backfill,
                now=now(),
                progress=progress,
            )
        emit(summary, as_json, "pipelines.render:render_ingestion")


_add_ingest_command(
    "events", "Read what customers did: orders, visits, refunds, milestones.", "'exports/*.csv.gz'"
)
_add_ingest_command(
    "customers",
    "Read who customers are: consent, reachability, time zone, attributes.",
    "customers.csv",
)
_add_ingest_command(
    "contacts", "Read whom we contacted and what became of it.", "sent-2026-11.parquet"
)
_add_ingest_command(
    "assignments",
    "Read who was given which action by an experiment: contacts and controls.",
    "test-2026-03.csv",
)


@app.command(epilog="Example: `winback status --json`")
def status(config: ConfigPath = Here, as_json: Json = False) -> None:
    """Show the warehouse's tables: versions, rows, span, last ingestion, buckets, files."""
    from pipelines.status import warehouse_status

    emit(warehouse_status(load(config)), as_json, "pipelines.render:render_status")


@features_app.command("list", epilog="Example: `winback features list --block rhythm`")
def features_list(
    config: ConfigPath = Here,
    block: Annotated[str | None, typer.Option(help="Only this block.")] = None,
    as_json: Json = False,
) -> None:
    """List every feature with its unit and meaning."""
    from pipelines.catalogue import feature_catalogue

    emit(feature_catalogue(load(config), block=block), as_json, "pipelines.render:render_features")


@app.command(epilog="Example: `winback nightly --as-of 2026-11-20`")
def nightly(
    config: ConfigPath = Here,
    as_of: AsOf = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a list that differs from this run.")
    ] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Score every customer and write tonight's recall list."""
    from pipelines.nightly import run_nightly
    from pipelines.terminal import progress_bars

    loaded = load(config)
    with progress_bars() as progress:
        report = run_nightly(
            loaded,
            as_of=parse_date(as_of, "--as-of"),
            now=now(),
            force=force,
            dry_run=dry_run,
            progress=progress,
        )
    emit(report, as_json, "pipelines.render_night:render_nightly")


@app.command(epilog="Example: `winback explain C000123 --as-of 2026-11-20`")
def explain(
    customer_id: Annotated[str, typer.Argument(help="The customer to explain.")],
    config: ConfigPath = Here,
    as_of: Annotated[
        str | None, typer.Option(help="Local date of the list. Default: the latest list.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show why somebody is, or is not, on the recall list."""
    from pipelines.explain import explain as explain_customer

    explanation = explain_customer(load(config), customer_id, as_of=parse_date(as_of, "--as-of"))
    emit(explanation, as_json, "pipelines.render_night:render_explanation")


add_model_commands(app)
add_simulate_command(app)
add_list_commands(app)
add_plan_command(app)


if __name__ == "__main__":
    main()
