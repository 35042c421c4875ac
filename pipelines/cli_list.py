"""Commands around written recall lists: show one, compare two, export one for sending."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli_options import ConfigPath, DryRun, Here, Json, emit, load, now, parse_date

ListDay = Annotated[
    str | None, typer.Option(help="Local date of the list. Default: the latest list.")
]


def show(  # noqa: PLR0913, PLR0917  typer takes one parameter per option
    config: ConfigPath = Here,
    as_of: ListDay = None,
    channel: Annotated[str | None, typer.Option(help="Only this channel.")] = None,
    arm: Annotated[
        str | None, typer.Option(help="Only this arm: contact, explore, ghost or holdout.")
    ] = None,
    stage: Annotated[str | None, typer.Option(help="Only this stage.")] = None,
    tier: Annotated[
        str | None, typer.Option(help='Only value tiers with this in their name: "high value".')
    ] = None,
    life_cycle: Annotated[str | None, typer.Option(help="Only this stage of life.")] = None,
    offer: Annotated[str | None, typer.Option(help="Only this offer.")] = None,
    customer: Annotated[str | None, typer.Option(help="Only this customer.")] = None,
    min_gain: Annotated[
        float | None, typer.Option(help="Only rows that are expected to gain so much.")
    ] = None,
    top: Annotated[int, typer.Option(min=0, help="Rows to show.")] = 20,
    as_json: Json = False,
) -> None:
    """Show the first rows of a list, all or those that pass filters."""
    from pipelines.list_show import RowFilter, show_list

    wanted = RowFilter(
        channel=channel,
        arm=arm,
        stage=stage,
        tier=tier,
        life_cycle=life_cycle,
        offer=offer,
        customer=customer,
        min_gain=min_gain,
    )
    day = parse_date(as_of, "--as-of")
    view = show_list(load(config), wanted, as_of=day, top=top, now=now())
    emit(view, as_json, "pipelines.render_list:render_show")


def diff(
    config: ConfigPath = Here,
    as_of: ListDay = None,
    since: Annotated[
        str | None, typer.Option(help="Local date of the earlier list. Default: the one before.")
    ] = None,
    top: Annotated[int, typer.Option(min=0, help="Examples per reason.")] = 3,
    as_json: Json = False,
) -> None:
    """Show who came on a list, who left and what changed since an earlier one, and why."""
    from pipelines.list_diff import diff_lists

    difference = diff_lists(
        load(config),
        as_of=parse_date(as_of, "--as-of"),
        since=parse_date(since, "--since"),
        top=top,
    )
    emit(difference, as_json, "pipelines.render_list:render_diff")


def export(  # noqa: PLR0913, PLR0917  typer takes one parameter per option
    to: Annotated[Path, typer.Option(help="Folder, or file ending in .csv, .xlsx or .parquet.")],
    config: ConfigPath = Here,
    as_of: ListDay = None,
    channel: Annotated[
        list[str] | None, typer.Option(help="Only this channel; may be repeated.")
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", help="csv, xlsx or parquet. Default: the file's ending, or csv."),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(help="List columns, separated by commas. Default: as in [exports]."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Export rows that are void by now, too.")
    ] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Write the rows to be sent to where a sending tool takes them from; never controls."""
    from pipelines.list_export import ExportRequest, export_list

    request = ExportRequest(
        to=to,
        channels=tuple(channel or ()),
        form=form,
        columns=tuple(name.strip() for name in columns.split(",")) if columns else (),
        force=force,
        dry_run=dry_run,
    )
    day = parse_date(as_of, "--as-of")
    report = export_list(load(config), request, as_of=day, now=now())
    emit(report, as_json, "pipelines.render_list:render_export")


def add_list_commands(app: typer.Typer) -> None:
    """Register `winback list ...`."""
    lists = typer.Typer(
        help="Look at written recall lists, compare them, hand them on.",
        no_args_is_help=True,
        rich_markup_mode="markdown",
    )
    lists.command(epilog='Example: `winback list show --channel sms --tier "high value"`')(show)
    lists.command(epilog="Example: `winback list diff --since 2026-11-13`")(diff)
    lists.command(epilog="Example: `winback list export --to /mnt/crm/inbox --channel sms`")(export)
    app.add_typer(lists, name="list")
