"""The command `winback contact-study`."""

from typing import Annotated

import typer

from pipelines.cli_options import ConfigPath, Here, Json, emit, load, now, parse_date


def contact_study(
    config: ConfigPath = Here,
    as_of: Annotated[
        str | None,
        typer.Option(help="Local date; only what arrived before it is used. Default: all data."),
    ] = None,
    weight: Annotated[
        float | None,
        typer.Option(
            help="What an observed contact counts of a randomised one, 0 to 1. Default: "
            "effects.observational_weight."
        ),
    ] = None,
    track: Annotated[bool, typer.Option("--mlflow/--no-mlflow", help="Log to MLflow.")] = True,
    as_json: Json = False,
) -> None:
    """Study past contacts nobody randomised: overlap, placebo, and what they suggest."""
    from pipelines.contact_study import run_contact_study
    from pipelines.terminal import progress_bars

    loaded = load(config)
    with progress_bars() as progress:
        report = run_contact_study(
            loaded,
            as_of=parse_date(as_of, "--as-of"),
            weight=weight,
            track=track,
            now=now(),
            progress=progress,
        )
    emit(report, as_json, "pipelines.render_contact_study:render_contact_study")
