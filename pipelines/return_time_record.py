"""What a training run leaves in MLflow about its return-time model."""

from dataclasses import dataclass
from pathlib import Path

from models.bundle import ReturnTimeBundle
from pipelines.plots import GUIDE_COLOUR, MODEL_COLOUR, new_figure
from training.return_time_judge import KAPLAN_MEIER, ReturnTimeReport


@dataclass(frozen=True, slots=True)
class ReturnTimeRecord:
    """The model that is registered, and the report on it."""

    bundle: ReturnTimeBundle
    report: ReturnTimeReport


def return_time_figures(report: ReturnTimeReport) -> list[tuple[str, float]]:
    """Metric names and values: return_time/test/part/figure, with .low and .high."""
    figures = [
        ("return_time/horizon_days", report.horizon_days),
        ("return_time/judged_days", report.judged_days),
        ("return_time/test/calibration_slope", report.calibration_slope),
        ("return_time/test/calibration_intercept", report.calibration_intercept),
        ("return_time/test/interval_rows", float(report.coverage.rows)),
    ]
    if report.coverage.covered is not None:
        figures.append(("return_time/test/interval_coverage", report.coverage.covered))
    if report.coverage.early is not None:
        figures.append(("return_time/test/interval_early", report.coverage.early))
    for one in report.comparisons:
        place = f"return_time/test/{one.part.replace(' ', '_')}"
        figures.append((f"{place}/rows", float(one.rows)))
        for name, estimate in (
            ("integrated_brier", one.model),
            ("integrated_brier_kaplan_meier", one.baseline),
            ("integrated_brier_difference", one.difference),
        ):
            ends = {"": estimate.value, ".low": estimate.low, ".high": estimate.high}
            figures += [
                (f"{place}/{name}{end}", value) for end, value in ends.items() if value is not None
            ]
    return figures


def draw_brier(report: ReturnTimeReport, folder: Path) -> Path:
    """Write the Brier score by days ahead, beside Kaplan-Meier's, as a PNG file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "return_time_brier.png"
    figure, axes = new_figure(tall=False)
    axes.plot(report.days, report.baseline_brier, color=GUIDE_COLOUR, label=KAPLAN_MEIER)
    axes.plot(report.days, report.model_brier, color=MODEL_COLOUR, linewidth=2, label="hazards")
    axes.set_xlabel("days after the test cutoff")
    axes.set_ylabel("Brier score of P(no return yet), lower is better")
    axes.set_title("Return time: out of time", loc="left")
    axes.legend(frameon=False)
    figure.savefig(file, dpi=110, metadata={"Software": None})
    return file
