"""What a training run learnt of effects of contact, as terminal text."""

from typing import TYPE_CHECKING

from rich.console import Console

from pipelines.terminal import text_table

if TYPE_CHECKING:
    from pipelines.effect_record import EffectsReport
    from training.effect_fit import EffectReport

NORMAL_95 = 1.96
_UNITS = "shifts of the return's log-odds, with 95 % intervals"


def render_effects(report: "EffectsReport", console: Console) -> None:
    """What every action changes, on what that rests, and what became of the assignments."""
    if report.effect is None:
        console.print(
            text_table(
                f"contact effect: assumed {_UNITS}",
                ["action", "assumed"],
                [[name, _interval(*one)] for name, one in report.assumed.items()],
                numeric=1,
            )
        )
    else:
        console.print(
            text_table(
                f"contact effect: {_UNITS}, for the average assigned customer",
                ["action", "assignments", "returns", "assumed", "now", "evidence"],
                _rows(report.effect),
                numeric=1,
            )
        )
    for verdict in report.verdicts:
        console.print(f"  {verdict}")
    console.print()


def _rows(report: "EffectReport") -> list[list[str]]:
    return [
        [
            one.action,
            f"{one.rows:,}",
            f"{one.returns:,}",
            _interval(one.assumed, one.assumed_sd),
            _interval(one.shift, one.shift_sd),
            one.evidence,
        ]
        for one in report.actions
    ]


def _interval(mean: float, sd: float) -> str:
    low, high = mean - NORMAL_95 * sd, mean + NORMAL_95 * sd
    return f"{mean:+.2f} [{low:+.2f}, {high:+.2f}]"
