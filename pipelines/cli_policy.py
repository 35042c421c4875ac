"""The command that judges policies on logged assignments."""

from typing import Annotated, Literal

import typer

from pipelines.cli_options import ConfigPath, Here, Json, emit, load, now, parse_date


def evaluate_policy(  # noqa: PLR0913, PLR0917
    config: ConfigPath = Here,
    lists: Annotated[
        list[str] | None,
        typer.Option("--list", metavar="DATE", help='What the list of a date asked for, or "all".'),
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option("--model", help="champion, challenger or a bundle's folder."),
    ] = None,
    rules: Annotated[
        list[str] | None,
        typer.Option("--rule", help='Such as "sms/none where silence_days >= 60".'),
    ] = None,
    against: Annotated[
        str, typer.Option(help="What to compare with: none (no contact), logged, or a rule.")
    ] = "none",
    outcome: Annotated[
        Literal["profit", "returns"], typer.Option(help="What is judged.")
    ] = "profit",
    since: Annotated[str | None, typer.Option(help="First local date of the assignments.")] = None,
    until: Annotated[str | None, typer.Option(help="Last local date of the assignments.")] = None,
    track: Annotated[bool, typer.Option("--mlflow/--no-mlflow", help="Log to MLflow.")] = True,
    as_json: Json = False,
) -> None:
    """Value policies on logged assignments; refuse where the log cannot carry a value."""
    from features.errors import GateError
    from pipelines.evaluate_policy import run_evaluation
    from pipelines.policy_sources import PolicyRequest
    from pipelines.terminal import progress_bars

    loaded = load(config)
    request = PolicyRequest(
        lists=tuple(lists or ()),
        models=tuple(models or ()),
        rules=tuple(rules or ()),
        against=against,
        since=parse_date(since, "--since"),
        until=parse_date(until, "--until"),
    )
    with progress_bars() as progress:
        report = run_evaluation(
            loaded,
            request,
            outcome=outcome,
            track=track,
            now=now(),
            progress=progress,
        )
    emit(report, as_json, "pipelines.render_policy:render_evaluation")
    if report.refused:
        # The report is the message; a second one would spoil its JSON.
        raise typer.Exit(GateError.exit_code)
