"""What the commands share: their common options, and the way from call to output."""

from datetime import UTC, date, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.errors import UsageError, describe

if TYPE_CHECKING:
    from pipelines.config import Config

ConfigPath = Annotated[
    Path,
    typer.Option(
        "--config", "-c", envvar="WINBACK_CONFIG", help="winback.toml, or the folder it is in."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document to stdout.")]
AsOf = Annotated[
    str | None,
    typer.Option(help="Local date; its midnight is the as-of. Default: today's midnight."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Do all the work, change nothing.")]
Here = Path()
"""The folder the command was called in."""


def load(path: Path) -> "Config":
    """The configuration of a file, or of the folder it is in."""
    from pipelines.config import load_config

    return load_config(path)


def now() -> datetime:
    """The present instant."""
    return datetime.now(tz=UTC)


def parse_date(text: str | None, option: str) -> date | None:
    """The local date an option names.

    Raises
    ------
    UsageError : it is not a date.
    """
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            describe(
                option,
                f"{text!r} is not a date",
                expected="a date such as 2026-11-20",
                fix="pass the local date whose midnight is meant",
            )
        ) from error


def emit(report: Any, as_json: bool, render: str) -> None:
    """Print a report: as JSON, or by the function that `render` names as module:function."""
    from pipelines.terminal import print_json, result_console

    if as_json:
        print_json(report.to_json())
    else:
        module, function = render.split(":")
        getattr(import_module(module), function)(report, result_console())
