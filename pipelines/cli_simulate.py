"""The command that simulates a business whose truth is known."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli_options import Json, emit, now, parse_date

_EPILOG = "Example: `winback simulate --world regions --policy randomised --out raw --truth truth`"


def simulate(  # noqa: PLR0913, PLR0917  typer takes one parameter per option
    out: Annotated[Path, typer.Option(help="Folder for the files.")],
    preset: Annotated[str, typer.Option(help="retail or lending.")] = "retail",
    world: Annotated[
        str,
        typer.Option(help="What contacts do: own, additive, regions, constant or none."),
    ] = "own",
    policy: Annotated[
        str,
        typer.Option(help="Who is contacted: usual, randomised, human, confounded or mixed."),
    ] = "usual",
    customers: Annotated[int, typer.Option(min=1, help="Simulated customers.")] = 20_000,
    days: Annotated[int, typer.Option(min=30, help="Simulated days.")] = 730,
    end: Annotated[
        str | None, typer.Option(help="Local date the history ends before. Default: today.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulation.")] = 7,
    learnable_share: Annotated[
        float, typer.Option(help="Share of the effects' variance that observables explain.")
    ] = 0.7,
    gamma: Annotated[
        float, typer.Option(help="Strength of the hidden confounder, as a factor on odds.")
    ] = 3.0,
    dirt: Annotated[
        bool, typer.Option("--dirt", help="Spoil the files as real life does.")
    ] = False,
    truth: Annotated[
        Path | None, typer.Option(help="Folder for the truth, apart. Default: not written.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a simulated app's events, customers and contacts as raw files."""
    from pipelines.simulate import REAL_LIFE, Dirt, SimulationPlan, WorldPlan, simulate_plan
    from pipelines.terminal import progress_bars

    plan = SimulationPlan(
        preset=preset,
        customers=customers,
        days=days,
        end=parse_date(end, "--end") or now().date(),
        seed=seed,
        dirt=REAL_LIFE if dirt else Dirt(),
        world=WorldPlan(world=world, policy=policy, learnable_share=learnable_share, gamma=gamma),
    )
    with progress_bars() as progress:
        summary = simulate_plan(plan, out=out, truth=truth, progress=progress)
    emit(summary, as_json, "pipelines.render:render_simulation")


def add_simulate_command(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog=_EPILOG)(simulate)
