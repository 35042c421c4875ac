"""Pictures of evaluated policies: gains with intervals, Qini curve, uplift by tenth."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.plots import GUIDE_COLOUR, MODEL_COLOUR, new_figure
from training.policy_value import PolicyDifference
from training.uplift_curves import UpliftCurves

if TYPE_CHECKING:
    from pipelines.evaluate_policy import PolicyEvaluation

_PER_ROWS = 1000
_LONGEST = 48


def draw_values(evaluation: "PolicyEvaluation", folder: Path) -> Path | None:
    """Write the stated differences with their intervals as a PNG file; returns it."""
    stated = [one for one in evaluation.report.differences if isinstance(one, PolicyDifference)]
    if not stated:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    figure, axes = new_figure(tall=False)
    places = list(range(len(stated)))[::-1]
    for place, one in zip(places, stated, strict=True):
        low, high = one.dr.low * _PER_ROWS, one.dr.high * _PER_ROWS
        axes.plot([low, high], [place, place], color=MODEL_COLOUR, linewidth=2)
        axes.plot([one.dr.value * _PER_ROWS], [place], "o", color=MODEL_COLOUR)
    axes.axvline(0.0, color=GUIDE_COLOUR, linewidth=1)
    labels = [_shortened(f"{one.name} minus {one.baseline}") for one in stated]
    axes.set_yticks(places, labels, fontsize=8)
    axes.set_xlabel(f"{_unit(evaluation.outcome)} per 1,000 assignments, 95 % interval")
    axes.set_title("differences of policies", loc="left")
    return _save(figure, folder / "differences.png")


def draw_curves(curves: UpliftCurves, folder: Path, *, prefix: str) -> tuple[Path, ...]:
    """Write the Qini curve and the uplift by tenth of one score as PNG files; returns them."""
    folder.mkdir(parents=True, exist_ok=True)
    figure, axes = new_figure(tall=False)
    scaled = [
        [value * _PER_ROWS for value in line]
        for line in (curves.gained, curves.gained_low, curves.gained_high)
    ]
    axes.fill_between(curves.shares, scaled[1], scaled[2], color=MODEL_COLOUR, alpha=0.15)
    axes.plot(curves.shares, scaled[0], color=MODEL_COLOUR, label="by this score")
    end = scaled[0][-1]
    axes.plot([0, 1], [0, end], color=GUIDE_COLOUR, linewidth=1, label="at random")
    axes.set_xlabel("share of customers contacted, best score first")
    axes.set_ylabel(f"{_unit(curves.outcome)} gained per 1,000 customers")
    axes.set_title(_shortened(f"Qini curve: {curves.name}"), loc="left")
    axes.legend(frameon=False)
    qini = _save(figure, folder / f"{prefix}_qini.png")
    return qini, _save(_draw_tenths(curves), folder / f"{prefix}_tenths.png")


def _draw_tenths(curves: UpliftCurves) -> Any:
    figure, axes = new_figure(tall=False)
    for place, tenth in enumerate(curves.tenths, start=1):
        low, high = tenth.effect.low * _PER_ROWS, tenth.effect.high * _PER_ROWS
        axes.plot([place, place], [low, high], color=MODEL_COLOUR, linewidth=2)
        axes.plot([place], [tenth.effect.value * _PER_ROWS], "o", color=MODEL_COLOUR)
    axes.axhline(0.0, color=GUIDE_COLOUR, linewidth=1)
    axes.set_xlabel("tenths of the customers, best score first")
    axes.set_ylabel(f"effect of contact, {_unit(curves.outcome)} per 1,000")
    axes.set_title(_shortened(f"uplift by tenth: {curves.name}"), loc="left")
    return figure


def _save(figure: Any, file: Path) -> Path:
    figure.savefig(file, dpi=110, metadata={"Software": None})
    return file


def _unit(outcome: str) -> str:
    return "profit" if outcome == "profit" else "returns"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
