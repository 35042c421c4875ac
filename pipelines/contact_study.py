"""`winback contact-study`: what the company's own past contacts suggest, and what they cannot."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from time import perf_counter
from typing import Any

from features.history_reader import HistoryReader, learn_vocabulary
from features.progress import Progress, silent
from features.warehouse import Warehouse
from models.contact_effect import EffectPriors
from pipelines.config import Config
from pipelines.contact_study_rows import plan_study, read_contact_rows
from pipelines.contact_study_runs import log_contact_study
from pipelines.observation import plan_run
from pipelines.tracking import check_reachable
from scoring.effects import configured_priors
from training.contact_cutoffs import StudySetting
from training.contact_study import ContactStudy, nothing_to_study, study_rows
from training.contact_verdict import StudyPlan
from training.folds import Folds
from training.labels import DAY_US
from training.observational_prior import check_weight, discount_prior
from training.propensity_forests import PropensityPlan

REPORT_SCHEMA = 1
TASK = "studying past contacts"


@dataclass(frozen=True, slots=True)
class ContactStudyReport:
    """What `winback contact-study` found.

    Attributes
    ----------
    business : of the configuration.
    as_of : local date; only what had arrived before its midnight was read.
    cutoffs : how many, at most one a week.
    decision_days : a contact counts as a cutoff's if sent so soon after it.
    horizon_days : days after the decision in which a return counts.
    inputs : Delta version of each table.
    seconds : that it took.
    study : what was found.
    configured : priors of the configuration, in the order of the study's actions.
    combined : the same after the study.
    run_id : of the MLflow run; None if none was asked for.
    """

    business: str
    as_of: date
    cutoffs: int
    decision_days: float
    horizon_days: float
    inputs: dict[str, int]
    seconds: float
    study: ContactStudy
    configured: EffectPriors
    combined: EffectPriors
    run_id: str | None = None

    def to_json(self) -> dict[str, Any]:
        """A JSON object; its layout is named by schema_version."""
        return {
            "schema_version": REPORT_SCHEMA,
            "business": self.business,
            "as_of": self.as_of.isoformat(),
            "cutoffs": self.cutoffs,
            "decision_days": self.decision_days,
            "horizon_days": self.horizon_days,
            "inputs": self.inputs,
            "seconds": round(self.seconds, 2),
            **self.study.to_json(),
            "priors": {
                name: {
                    "configured": {"mean": float(mean), "sd": float(sd)},
                    "combined": {"mean": float(new_mean), "sd": float(new_sd)},
                    "moved": bool(moved),
                }
                for name, mean, sd, new_mean, new_sd, moved in zip(
                    self.study.prior.actions,
                    self.configured.mean,
                    self.configured.sd,
                    self.combined.mean,
                    self.combined.sd,
                    self.combined.moved,
                    strict=True,
                )
            },
            "run_id": self.run_id,
        }


def run_contact_study(
    config: Config,
    *,
    as_of: date | None = None,
    weight: float | None = None,
    track: bool = True,
    now: datetime,
    progress: Progress = silent,
) -> ContactStudyReport:
    """Study the contacts known before an as-of.

    Parameters
    ----------
    config : the configuration.
    as_of : local date; null as in `winback train`.
    weight : what an observed contact counts of a randomised one; null: as configured.
    track : log to MLflow.
    now : the present instant, for "today".
    progress : told what is being done.

    Raises
    ------
    UsageError : the weight is outside [0, 1].
    ArtifactError : no warehouse, or MLflow does not answer (checked before any work).
    DataError : no events, or too short a history.
    """
    start = perf_counter()
    weight = config.effects.observational_weight if weight is None else weight
    check_weight(weight)
    if track:
        check_reachable(config)
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=config.storage.buckets)
    inputs = warehouse.versions()
    dates = plan_run(config, as_of, now=now, version=inputs["events"])
    study, setting = study_contacts(
        config,
        warehouse,
        inputs,
        folds=dates.folds,
        first_us=dates.first_us,
        weight=weight,
        progress=progress,
    )
    configured = configured_priors(config.channels, config.offers)
    report = ContactStudyReport(
        business=config.business.name,
        as_of=dates.until,
        cutoffs=len(setting.as_ofs),
        decision_days=setting.decision_us / DAY_US,
        horizon_days=setting.horizon_us / DAY_US,
        inputs=inputs,
        seconds=perf_counter() - start,
        study=study,
        configured=configured,
        combined=discount_prior(configured, study.prior),
    )
    return replace(report, run_id=log_contact_study(config, report)) if track else report


def study_contacts(
    config: Config,
    warehouse: Warehouse,
    inputs: dict[str, int],
    *,
    folds: Folds,
    first_us: int,
    weight: float,
    progress: Progress = silent,
) -> tuple[ContactStudy, StudySetting]:
    """Study the contacts of a training run.

    Parameters
    ----------
    config : the configuration.
    warehouse : open.
    inputs : Delta version of each table.
    folds : the run's cutoffs; the study's end at the test cutoff too.
    first_us : first occurred_at known to the run.
    weight : what an observed contact counts of a randomised one.
    progress : told what is being done.

    Returns
    -------
    The study, whose prior may have no weight, and the windows it used.
    """
    spec = learn_vocabulary(warehouse, config.feature_spec(), folds.test_us, versions=inputs)
    reader = HistoryReader(warehouse, spec=spec, versions=inputs)
    setting = plan_study(config, warehouse, reader, inputs, folds=folds, first_us=first_us)
    if not len(setting.as_ofs):
        return nothing_to_study(setting.actions, "No contact had been sent by then."), setting
    rows = read_contact_rows(config, warehouse, reader, inputs, setting=setting, progress=progress)
    learner = config.training.learner
    plan = StudyPlan(
        weight=weight, propensity=PropensityPlan(threads=learner.threads, seed=learner.seed)
    )
    progress(TASK, 0, 1)
    study = study_rows(rows, plan)
    progress(TASK, 1, 1)
    return study, setting
