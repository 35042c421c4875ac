"""Commands of ML engineers: define, train, audit, backtest and promote."""

from typing import Annotated

import typer

from pipelines.cli_contact_study import contact_study
from pipelines.cli_define import define
from pipelines.cli_options import ConfigPath, Here, Json, emit, load, now, parse_date
from pipelines.cli_policy import evaluate_policy


def train(
    config: ConfigPath = Here,
    as_of: Annotated[
        str | None,
        typer.Option(help="Local date; only what arrived before it is used. Default: all data."),
    ] = None,
    promote: Annotated[
        bool, typer.Option("--promote", help="Make the new versions champion at once.")
    ] = False,
    audit: Annotated[
        bool, typer.Option("--audit/--no-audit", help="Look for leaks first; stop at one.")
    ] = True,
    tune: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="TRIALS", help="Search settings first, so many trials for each model."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train, judge and register the dormancy-risk and natural-return models."""
    from pipelines.terminal import progress_bars
    from pipelines.train import run_train

    loaded = load(config)
    with progress_bars() as progress:
        report = run_train(
            loaded,
            as_of=parse_date(as_of, "--as-of"),
            promote=promote,
            audit=audit,
            tune=tune,
            progress=progress,
            now=now(),
        )
    emit(report, as_json, "pipelines.render:render_training")


def promote(config: ConfigPath = Here, as_json: Json = False) -> None:
    """Let the newest challengers of both models serve from now on."""
    from pipelines.promotion import PromotionReport, promote_challengers

    report = PromotionReport(promote_challengers(load(config)))
    emit(report, as_json, "pipelines.render:render_promotion")


def audit(
    config: ConfigPath = Here,
    as_of: Annotated[
        str | None,
        typer.Option(help="Local date of the training to audit. Default: all data."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Look for leaks: features, events and attributes that know what came after their as-of."""
    from features.errors import GateError
    from pipelines.audit import run_audit
    from pipelines.terminal import progress_bars

    loaded = load(config)
    with progress_bars() as progress:
        report = run_audit(loaded, as_of=parse_date(as_of, "--as-of"), now=now(), progress=progress)
    emit(report, as_json, "pipelines.render_audit:render_audit")
    if not report.audit.clean:
        # The report is the message; a second one would spoil its JSON.
        raise typer.Exit(GateError.exit_code)


def backtest(
    config: ConfigPath = Here,
    origins: Annotated[int, typer.Option(min=1, help="How many trainings to judge.")] = 6,
    step_days: Annotated[int, typer.Option(min=1, help="Days between origins.")] = 28,
    last_origin: Annotated[
        str | None,
        typer.Option(help="Local date of the latest origin. Default: the latest fully observed."),
    ] = None,
    horizon: Annotated[
        float | None,
        typer.Option(min=1, help="Days in which a return counts. Default: windows.horizon_days."),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(help="Local date; only outcomes known before it count. Default: all data."),
    ] = None,
    track: Annotated[bool, typer.Option("--mlflow/--no-mlflow", help="Log to MLflow.")] = True,
    as_json: Json = False,
) -> None:
    """Train at several dates in the past and judge each by what came afterwards."""
    from pipelines.backtest import run_backtest
    from pipelines.backtest_origins import BacktestPlan
    from pipelines.terminal import progress_bars

    loaded = load(config)
    with progress_bars() as progress:
        report = run_backtest(
            loaded,
            BacktestPlan(origins, step_days, parse_date(last_origin, "--last-origin"), horizon),
            as_of=parse_date(as_of, "--as-of"),
            track=track,
            now=now(),
            progress=progress,
        )
    emit(report, as_json, "pipelines.render_backtest:render_backtest")


def add_model_commands(app: typer.Typer) -> None:
    """Give the app these commands, in the order of their use."""
    app.command(epilog="Example: `winback define --html definition.html`")(define)
    app.command(epilog="Example: `winback train --as-of 2026-10-01`")(train)
    app.command(epilog="Example: `winback audit --as-of 2026-10-01`")(audit)
    app.command(epilog="Example: `winback backtest --origins 8 --horizon 90`")(backtest)
    app.command(epilog="Example: `winback contact-study --weight 0.1`")(contact_study)
    app.command(
        epilog='Example: `winback evaluate-policy --rule "sms/none where silence_days >= 60"`'
    )(evaluate_policy)
    app.command(epilog="Example: `winback promote`")(promote)
