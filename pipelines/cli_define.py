"""The command `winback define`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from pipelines.cli_options import ConfigPath, Here, Json, emit, load, now, parse_date


def define(  # noqa: PLR0913, PLR0917  one parameter per option
    config: ConfigPath = Here,
    as_of: Annotated[
        str | None,
        typer.Option(help="Local date; only what arrived before it is used. Default: all data."),
    ] = None,
    q: Annotated[
        float, typer.Option(help="Dormant: at most this chance of a return within the horizon.")
    ] = 0.10,
    horizon: Annotated[int, typer.Option(help="Days within which a return counts.")] = 90,
    late_cost: Annotated[
        float, typer.Option(help="D-curve: cost of finding out late, in false alarms.")
    ] = 1.0,
    opinion: Annotated[
        Literal["rule", "d-curve"],
        typer.Option(help="Whose window the states go by and --write takes."),
    ] = "rule",
    html: Annotated[Path | None, typer.Option(help="Write a page with plots to this file.")] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Put the windows into winback.toml.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Find out from the data after how many silent days a customer is dormant."""
    from pipelines.define import run_define
    from pipelines.definition_file import write_windows
    from pipelines.report.definition_page import check_place, write_page
    from pipelines.terminal import progress_bars

    loaded = load(config)
    if html is not None:
        check_place(html)
    with progress_bars() as progress:
        report = run_define(
            loaded,
            as_of=parse_date(as_of, "--as-of"),
            q=q,
            horizon_days=horizon,
            late_cost=late_cost,
            opinion="return rule" if opinion == "rule" else "D-curve",
            now=now(),
            progress=progress,
        )
    if html is not None:
        report = report.with_page(write_page(report, html))
    if write:
        report = report.with_written(write_windows(config, loaded, report))
    emit(report, as_json, "pipelines.render_definition:render_definition")
