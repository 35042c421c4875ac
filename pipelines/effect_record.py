"""What a training run learns of effects of contact, and leaves in MLflow about them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from features.progress import Progress, silent
from features.warehouse import Warehouse
from models.bundle import EffectBundle, installed_version
from models.contact_effect import EffectPriors, assumed_effect
from models.return_probability import ReturnModels
from pipelines.attrition import train_attrition
from pipelines.config import Config
from pipelines.contact_study import study_contacts
from pipelines.effect_rows import action_prices, collect_effect_rows
from scoring.effects import configured_priors
from scoring.gain import list_actions
from training.assignment_counts import AssignmentCounts
from training.attrition import AttritionReport
from training.contact_propensity import with_estimated_propensities
from training.contact_study import ContactStudy
from training.effect_fit import EffectFit, EffectReport, fit_contact_effect
from training.effect_sample import EffectSample, concat_samples
from training.labels import DAY_US
from training.material import Material
from training.observational_prior import discount_prior
from training.propensity_forests import PropensityPlan


@dataclass(frozen=True, slots=True)
class EffectsReport:
    """How the model of effects came about.

    Attributes
    ----------
    effect : the ladder of estimators; None where no assignment could be learnt from.
    absence : why there was none, in sentences; empty if there were some.
    assignments : what became of every logged one.
    study : what logs that nobody randomised suggest; None if their weight is 0.
    attrition : how contacts lose channels.
    assumed : by action, the assumption that measurements started from: mean and sd.
    """

    effect: EffectReport | None
    absence: str
    assignments: AssignmentCounts
    study: ContactStudy | None
    attrition: AttritionReport
    assumed: dict[str, tuple[float, float]]

    @property
    def verdicts(self) -> tuple[str, ...]:
        """Sentences for people."""
        first = (
            self.effect.verdicts
            if self.effect is not None
            else (f"contact effect: not proven yet; assumptions serve. {self.absence}",)
        )
        return (*first, *self.assignments.notes())

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "effect": None if self.effect is None else self.effect.to_json(),
            "absence": self.absence,
            "assignments": self.assignments.to_json(),
            "study": None if self.study is None else self.study.to_json(),
            "attrition": self.attrition.to_json(),
            "assumed": {
                name: {"mean": mean, "sd": sd} for name, (mean, sd) in self.assumed.items()
            },
            "verdicts": list(self.verdicts),
        }


@dataclass(frozen=True, slots=True)
class EffectRecord:
    """The model that is registered, and the report on it."""

    bundle: EffectBundle
    report: EffectsReport


def train_effects(
    config: Config,
    warehouse: Warehouse,
    inputs: dict[str, int],
    *,
    material: Material,
    models: ReturnModels,
    first_us: int,
    progress: Progress = silent,
) -> EffectRecord | None:
    """Learn what contacts change: from experiments, else from assumptions.

    Assumptions are the configuration's, moved at a discount by what past contacts suggest;
    matured assignments with controls replace them as far as they carry.

    Parameters
    ----------
    config : the configuration.
    warehouse : open.
    inputs : Delta version of each table.
    material : of the training run.
    models : the two models just trained, whose probabilities effects add to.
    first_us : first occurred_at known to the run.
    progress : told what is being done.

    Returns
    -------
    None without any configured channel: then there is no contact.
    """
    if not config.channels:
        return None
    folds = material.folds
    until_us = (folds.observed_until_us, folds.trained_until_us)
    attrition = train_attrition(
        config, spec=material.spec, until_us=until_us, versions=inputs, progress=progress
    )
    study = None
    priors = configured_priors(config.channels, config.offers)
    if config.effects.observational_weight > 0.0:
        study, _ = study_contacts(
            config,
            warehouse,
            inputs,
            folds=folds,
            first_us=first_us,
            weight=config.effects.observational_weight,
            progress=progress,
        )
        priors = discount_prior(priors, study.prior)
    rows = collect_effect_rows(
        config, models=models, until_us=until_us, versions=inputs, progress=progress
    )
    progress("learning effects of contact", 0, 1)
    fit, absence = _fit(config, rows.sample, rows.unknown, rows.counts, priors)
    progress("learning effects of contact", 1, 1)
    names = action_prices(config).actions
    assumed = zip(names, priors.mean.tolist(), priors.sd.tolist(), strict=True)
    report = EffectsReport(
        effect=None if fit is None else fit.report,
        absence=absence,
        assignments=rows.counts,
        study=study,
        attrition=attrition.report,
        assumed={name: (mean, sd) for name, mean, sd in assumed},
    )
    effect = (
        assumed_effect(priors, channels=tuple(config.channels), offers=tuple(config.offers))
        if fit is None
        else fit.model
    )
    bundle = EffectBundle(
        spec=models.natural.spec,
        stages_digest=material.stages_digest,
        gap_days=folds.gap_us / DAY_US,
        horizon_days=folds.horizon_us / DAY_US,
        trained_until_us=folds.trained_until_us,
        metrics=report.to_json(),
        winback_version=installed_version(),
        effect=effect,
        attrition=attrition.model,
    )
    return EffectRecord(bundle, report)


def _fit(
    config: Config,
    sample: EffectSample,
    unknown: EffectSample,
    counts: AssignmentCounts,
    priors: EffectPriors,
) -> tuple[EffectFit | None, str]:
    """The fit, or why there is none.

    Rows of unknown propensity are left aside unless the configuration vouches for them.
    """
    has_choice = len(np.unique(unknown.action)) > 1
    if config.effects.estimated_propensities and has_choice:
        learner = config.training.learner
        plan = PropensityPlan(threads=learner.threads, seed=learner.seed)
        sample = concat_samples([sample, with_estimated_propensities(unknown, plan)[0]])
    if not len(sample):
        if not counts.assignments:
            return None, "No assignment is logged yet."
        return None, f"None of {counts.assignments:,} logged assignments can be learnt from yet."
    terms = list_actions(config.channels, config.offers).terms(config.business.gross_margin)
    return fit_contact_effect(sample, priors=priors, terms=terms, plan=config.effects), ""


def effect_figures(report: EffectsReport) -> list[tuple[str, float]]:
    """Metric names and values: contact_effect/part/figure, with .low and .high."""
    counts = {k: v for k, v in report.assignments.to_json().items() if isinstance(v, int)}
    figures = [(f"contact_effect/assignments/{name}", float(n)) for name, n in counts.items()]
    if report.effect is None:
        return figures
    for action in report.effect.actions:
        place = f"contact_effect/{action.action}"
        figures += [
            (f"{place}/rows", float(action.rows)),
            (f"{place}/shift", action.shift),
            (f"{place}/shift_sd", action.shift_sd),
        ]
    for step in report.effect.steps:
        for name, found in (("log_loss", step.log_loss), ("value", step.value)):
            if found is not None:
                place = f"contact_effect/{step.rung}/{name}"
                figures += [
                    (place, found.value),
                    (f"{place}.low", found.low),
                    (f"{place}.high", found.high),
                ]
    return figures
