"""The what-if command."""

from pathlib import Path
from typing import Annotated

import typer

from features.errors import UsageError, describe
from pipelines.cli_options import AsOf, ConfigPath, Here, Json, load, now, parse_date


def plan(
    budget: Annotated[
        str | None,
        typer.Option(help="Money per night, several separated by commas, such as 2000,4000."),
    ] = None,
    seats: Annotated[
        str | None,
        typer.Option(help="Contacts of --channel per night, several separated by commas."),
    ] = None,
    channel: Annotated[
        str | None,
        typer.Option(help="Whose seats. Default: the channel whose contacts cost most."),
    ] = None,
    config: ConfigPath = Here,
    as_of: AsOf = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the frontier to this .png, .svg or .pdf file.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what other budgets and seats would bring tonight, from one scoring.

    Trials and controls are left out: a night brings less by what they take and cost.
    """
    from pipelines.plan_night import PlanRequest, run_plan
    from pipelines.render_plan import render_plan
    from pipelines.terminal import print_json, progress_bars, result_console

    request = PlanRequest(
        budgets=_numbers(budget, "--budget"),
        seats=_whole_numbers(seats),
        channel=channel,
        plot=plot,
    )
    setting = load(config)
    with progress_bars() as progress:
        report = run_plan(
            setting,
            request,
            as_of=parse_date(as_of, "--as-of"),
            now=now(),
            progress=progress,
        )
    if as_json:
        print_json(report.to_json())
    else:
        render_plan(report, result_console(), spend_level=setting.limits.budget_quantile)


def _numbers(text: str | None, option: str) -> tuple[float, ...]:
    if text is None:
        return ()
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(
            describe(
                option,
                f"{text!r} is not a list of numbers",
                expected="numbers separated by commas, without thousands marks",
                fix=f"pass for example {option} 2000,4000,8000",
            )
        ) from error


def _whole_numbers(text: str | None) -> tuple[int, ...]:
    numbers = _numbers(text, "--seats")
    broken = [f"{number:g}" for number in numbers if not number.is_integer()]
    if broken:
        raise UsageError(
            describe(
                "--seats",
                f"{len(broken)} of {len(numbers)} are not whole numbers",
                examples=broken,
                expected="whole numbers separated by commas",
                fix="pass for example --seats 50,100",
            )
        )
    return tuple(int(number) for number in numbers)


def add_plan_command(app: typer.Typer) -> None:
    """Register `winback plan`."""
    app.command(epilog="Example: `winback plan --budget 2000,4000,8000 --seats 50,100`")(plan)
