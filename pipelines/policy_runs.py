"""An evaluation of policies in MLflow: figures, report and pictures; no customer in it."""

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from models.bundle import installed_version
from pipelines.config import Config
from pipelines.policy_plots import draw_curves, draw_values
from pipelines.tracking import connect, experiment_id, log_metrics, metric_word
from training.clustered_mean import Mean
from training.policy_value import PolicyDifference, PolicyValue
from training.uplift_curves import UpliftCurves

if TYPE_CHECKING:
    from pipelines.evaluate_policy import PolicyEvaluation


def log_evaluation(config: Config, evaluation: "PolicyEvaluation") -> str:
    """Log what is stated; returns the run's id.

    Raises
    ------
    TrackingUnreachableError : MLflow failed; the run there is marked as failed.
    """
    with connect(config) as client, TemporaryDirectory() as scratch:
        run = client.create_run(experiment_id(config, client), run_name="evaluate-policy")
        run_id = str(run.info.run_id)
        finished = False
        try:
            for key, value in _parameters(config, evaluation).items():
                client.log_param(run_id, key, value[:6000])
            log_metrics(client, run_id, list(_figures(evaluation)))
            folder = Path(scratch)
            text = json.dumps(evaluation.to_json(), indent=1)
            (folder / "report.json").write_text(text + "\n")
            draw_values(evaluation, folder / "plots")
            for at, curves in enumerate(evaluation.curves):
                if isinstance(curves, UpliftCurves):
                    draw_curves(curves, folder / "plots", prefix=f"policy_{at + 1}")
            client.log_artifacts(run_id, scratch)
            finished = True
        finally:
            client.set_terminated(run_id, status="FINISHED" if finished else "FAILED")
    return run_id


def _parameters(config: Config, evaluation: "PolicyEvaluation") -> dict[str, str]:
    return {
        "winback_version": installed_version(),
        "config_digest": config.digest,
        "outcome": evaluation.outcome,
        "first_day": str(evaluation.first_day),
        "last_day": str(evaluation.last_day),
        **{f"policy.{at}": name for at, name in enumerate(evaluation.policies, start=1)},
    }


def _figures(evaluation: "PolicyEvaluation") -> Iterator[tuple[str, float]]:
    """policy_N/estimator, policy_N/minus/name, curve_N/rate, each with .low and .high."""
    yield "rows", float(evaluation.rows)
    for at, value in enumerate(evaluation.report.values):
        if isinstance(value, PolicyValue):
            place = f"policy_{at + 1}"
            yield f"{place}/effective_rows", value.support.effective_rows
            yield f"{place}/largest_weight", value.support.largest_weight
            for name in ("dr", "ips", "snips"):
                yield from _ends(f"{place}/{name}", getattr(value, name))
            if value.switch.value is not None:
                yield from _ends(f"{place}/switch_dr", value.switch.value)
    for difference in evaluation.report.differences:
        if isinstance(difference, PolicyDifference):
            words = (metric_word(difference.name)[:80], metric_word(difference.baseline)[:80])
            yield from _ends(f"difference/{words[0]}/minus/{words[1]}", difference.dr)
    for at, curves in enumerate(evaluation.curves):
        if isinstance(curves, UpliftCurves):
            for name in ("effect", "autoc", "qini"):
                yield from _ends(f"curves_{at + 1}/{name}", getattr(curves, name))


def _ends(name: str, mean: Mean) -> Iterator[tuple[str, float]]:
    yield name, mean.value
    yield f"{name}.low", mean.low
    yield f"{name}.high", mean.high
