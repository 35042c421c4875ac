"""A study of past contacts in MLflow: one run with figures, the report and two pictures."""

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from models.bundle import installed_version
from pipelines.config import Config
from pipelines.plots import GUIDE_COLOUR, MODEL_COLOUR, new_figure
from pipelines.tracking import connect, experiment_id, log_metrics, metric_word
from training.contact_verdict import ActionStudy
from training.overlap import SMD_BAR

if TYPE_CHECKING:
    from pipelines.contact_study import ContactStudyReport


def log_contact_study(config: Config, report: "ContactStudyReport") -> str:
    """Log a study; returns the run's id.

    Raises
    ------
    TrackingUnreachableError : MLflow failed; the run begun is marked as failed.
    """
    with connect(config) as client, TemporaryDirectory() as scratch:
        run = client.create_run(
            experiment_id(config, client), run_name=f"contact-study {report.as_of}"
        )
        run_id, finished = str(run.info.run_id), False
        try:
            for key, value in _parameters(config, report).items():
                client.log_param(run_id, key, value[:6000])
            log_metrics(client, run_id, list(_figures(report)))
            folder = Path(scratch)
            (folder / "report.json").write_text(json.dumps(report.to_json(), indent=1) + "\n")
            if report.study.any_contact is not None:
                draw_overlap((report.study.any_contact, *report.study.actions), folder / "plots")
            client.log_artifacts(run_id, scratch)
            finished = True
        finally:
            client.set_terminated(run_id, status="FINISHED" if finished else "FAILED")
    return run_id


def draw_overlap(actions: tuple[ActionStudy, ...], folder: Path) -> tuple[Path, ...]:
    """Write effective sample sizes and balance of all actions as PNG files; returns them."""
    folder.mkdir(parents=True, exist_ok=True)
    drawings: dict[str, Any] = {"overlap": _draw_sizes, "smd": _draw_balance}
    files = []
    for name, draw in drawings.items():
        file = folder / f"{name}.png"
        figure, axes = new_figure(tall=True)
        draw(actions[::-1], axes)
        axes.set_title(axes.get_title(), loc="left")
        figure.savefig(file, dpi=110, metadata={"Software": None})
        files.append(file)
    return tuple(files)


def _draw_sizes(actions: tuple[ActionStudy, ...], axes: Any) -> None:
    names = [one.name for one in actions]
    axes.barh(names, [one.overlap.treated_kept for one in actions], color=GUIDE_COLOUR, alpha=0.4)
    axes.barh(names, [one.overlap.effective_treated for one in actions], color=MODEL_COLOUR)
    axes.set_xscale("log")
    axes.tick_params(axis="y", labelsize=7)
    axes.set_xlabel("contacted rows (grey) and what they are worth after weighting (blue)")
    axes.set_title("overlap by action")


def _draw_balance(actions: tuple[ActionStudy, ...], axes: Any) -> None:
    names = [one.name for one in actions]
    axes.axvline(SMD_BAR, color=GUIDE_COLOUR, linewidth=1)
    before, after = [[one.overlap.smd_before, one.overlap.smd_after] for one in actions], names
    axes.plot([pair[0] for pair in before], after, "o", color=GUIDE_COLOUR, label="before")
    axes.plot([pair[1] for pair in before], after, "o", color=MODEL_COLOUR, label="after weighting")
    axes.set_xlim(left=0)
    axes.tick_params(axis="y", labelsize=7)
    axes.set_xlabel("largest standardised mean difference of any feature")
    axes.set_title("balance by action")
    axes.legend(frameon=False)


def _parameters(config: Config, report: "ContactStudyReport") -> dict[str, str]:
    return {
        "winback_version": installed_version(),
        "config_digest": config.digest,
        "as_of": report.as_of.isoformat(),
        "verdict": report.study.prior.verdict,
        "cutoffs": str(report.cutoffs),
        "decision_days": f"{report.decision_days:g}",
        "horizon_days": f"{report.horizon_days:g}",
        **{f"input.{name}.version": str(version) for name, version in report.inputs.items()},
    }


def _figures(report: "ContactStudyReport") -> Iterator[tuple[str, float]]:
    """contact_study/<action>/<figure>; estimates with .low and .high."""
    study = report.study
    yield "contact_study/rows", float(study.rows)
    yield "contact_study/contacted", float(study.contacted)
    yield "contact_study/weight", study.prior.weight
    placebo = study.placebo
    for one in () if study.any_contact is None else (study.any_contact, *study.actions):
        place = f"contact_study/{metric_word(one.name)}"
        yield f"{place}/effective", one.overlap.effective_treated
        yield f"{place}/max_weight", one.overlap.max_weight
        yield f"{place}/smd_before", one.overlap.smd_before
        yield f"{place}/smd_after", one.overlap.smd_after
        pre = None
        if placebo is not None:
            pre = placebo.overall if one is study.any_contact else placebo.by_action.get(one.name)
        for name, estimate in (("shift", one.effect), ("placebo", pre)):
            if estimate is None or estimate.shift is None:
                continue
            for end, value in (
                ("", estimate.shift),
                (".low", estimate.low),
                (".high", estimate.high),
            ):
                if value is not None:
                    yield f"{place}/{name}{end}", value
