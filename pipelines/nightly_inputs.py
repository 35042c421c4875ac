"""What a night starts from: its as-of, the tables as they are, and both champions."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Generic, TypeVar
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.dataset as pads

from features.coupon_history import find_offer_window
from features.errors import ArtifactError, DataError, describe
from features.history_reader import HistoryReader
from features.local_day import local_midnight_us
from features.warehouse import Warehouse
from models.bundle import CONTACT_EFFECT, RETURN_TIME, Bundle, EffectBundle, ReturnTimeBundle
from models.effect_design import NO_OFFER
from pipelines.config import Config
from pipelines.model_check import Absence, absence_of, check_bundle
from pipelines.registry import Source, champion
from scoring.effects import NightEffects, assumed_effects
from scoring.eligibility import asked_flags
from scoring.list_rows import Provenance
from scoring.night_policy import NightPolicy
from scoring.recall_list import TIME
from scoring.scorer import Scorer

CONFIG_HASH_DIGITS = 16
INPUT_TABLES = ("contacts", "customers", "events")


AnyServed = TypeVar("AnyServed", Bundle, ReturnTimeBundle, EffectBundle)


@dataclass(frozen=True, slots=True)
class ChampionModel(Generic[AnyServed]):
    """A model in use: its registered version and where it was read from."""

    bundle: AnyServed
    version: str
    source: Source

    @property
    def label(self) -> str:
        """Kind and version, as in the list's model_version."""
        return f"{self.bundle.kind.replace('_', '-')}/{self.version}"


@dataclass(frozen=True, slots=True)
class Champions:
    """The models of a night.

    Attributes
    ----------
    risk, natural : the two that decide it.
    return_time : says when customers would be back; None if there is none that serves.
    absence : why there is none.
    effects : says what contacts change; None if the configuration's assumptions serve.
    assumption : why they do.
    """

    risk: ChampionModel[Bundle]
    natural: ChampionModel[Bundle]
    return_time: ChampionModel[ReturnTimeBundle] | None = None
    absence: Absence | None = None
    effects: ChampionModel[EffectBundle] | None = None
    assumption: Absence | None = None

    @property
    def in_use(
        self,
    ) -> tuple[
        ChampionModel[Bundle] | ChampionModel[ReturnTimeBundle] | ChampionModel[EffectBundle], ...
    ]:
        """All of them, the two that decide a night first."""
        further = [one for one in (self.return_time, self.effects) if one is not None]
        return (self.risk, self.natural, *further)

    def believed(self, policy: NightPolicy) -> NightEffects:
        """What the night believes of contacts: measured where a model says so."""
        assumed = assumed_effects(policy.channels, policy.offers)
        if self.effects is None:
            return assumed
        bundle = self.effects.bundle
        # Assumptions are read from the configuration, which may have changed since.
        still_assumed = bundle.effect.rung == "priors" and set(bundle.effect.evidence) == {"rules"}
        effect = assumed.effect if still_assumed else bundle.effect
        none_followed = bundle.attrition.rung == "configured"
        attrition = assumed.attrition if none_followed else bundle.attrition
        return NightEffects(effect=effect, attrition=attrition)


def list_day(config: Config, as_of: date | None, *, now: datetime) -> date:
    """The list's local date: the given one, or today's in business.timezone."""
    return as_of or now.astimezone(ZoneInfo(config.business.timezone)).date()


def night_policy(config: Config, day: date) -> NightPolicy:
    """The part of the configuration that decides a night."""
    return NightPolicy(
        as_of_us=local_midnight_us(day, ZoneInfo(config.business.timezone)),
        day=day,
        zone=config.business.timezone,
        gross_margin=config.business.gross_margin,
        stages=config.stages,
        channels=config.channels,
        offers=config.offers,
        caps=config.caps,
        limits=config.limits,
        follow_up=config.follow_up,
        waiting=config.waiting,
        experiment=config.experiment,
        rules=config.list,
    )


def open_warehouse(config: Config) -> Warehouse:
    """The configured warehouse, which must exist."""
    return Warehouse.open(config.warehouse_path, n_buckets=config.storage.buckets)


def check_span(config: Config, warehouse: Warehouse, day: date) -> None:
    """Refuse an as-of at which nothing can be known.

    Raises
    ------
    DataError : there are no events; the as-of is before all of them; or it is later than
        the last one plus the horizon, so that everybody would look silent.
    """
    stats = warehouse.table_stats("events")
    if stats.first is None or stats.last is None:
        raise DataError(
            describe(
                "table events",
                "0 rows",
                expected="events of at least one customer",
                fix="run `winback ingest events PATH`",
            )
        )
    midnight = datetime.fromtimestamp(
        local_midnight_us(day, ZoneInfo(config.business.timezone)) / 1e6, tz=UTC
    )
    zone = ZoneInfo(config.business.timezone)
    first, last = (moment.astimezone(zone).date() for moment in (stats.first, stats.last))
    if midnight <= stats.first:
        raise DataError(
            describe(
                f"as-of {day}",
                f"it is before all data, whose first event is of {first}",
                expected=f"a date after {first}",
                fix=f"pass --as-of with a date from {first + timedelta(days=1)} to {last}",
            )
        )
    horizon = timedelta(days=config.windows.horizon_days)
    if midnight > stats.last + horizon:
        raise DataError(
            describe(
                f"as-of {day}",
                f"it is beyond the horizon: the last event is of {last}, more than "
                f"{config.windows.horizon_days:g} days earlier, so everybody would look silent",
                expected=f"a date not after {(stats.last + horizon).astimezone(zone).date()}",
                fix="ingest newer events, or pass an earlier --as-of",
            )
        )


def has_customer_records(warehouse: Warehouse, *, as_of_us: int) -> bool:
    """Whether any customer record had arrived before the as-of."""
    known = pads.field("arrived_at") < pa.scalar(as_of_us, pa.int64()).cast(TIME)
    found = warehouse.dataset("customers").head(1, columns=["customer_id"], filter=known)
    return bool(found.num_rows)


def nothing_arrived(day: date) -> DataError:
    """The fault of an as-of before which nothing had arrived."""
    return DataError(
        describe(
            f"as-of {day}",
            "no event had arrived before it, though some had happened",
            expected="events that had arrived before the as-of",
            fix="choose a later --as-of; history that is ingested late needs --backfill",
        )
    )


def load_champions(config: Config) -> Champions:
    """The champions, checked against the configuration.

    A night does without the models of return times and of effects where there are none, or
    none that serve: the configuration's assumptions stand for the effects then.

    Raises
    ------
    ArtifactError : one of the two others is missing, or was trained for another
        configuration.
    """
    risk, version, source = champion(config, "dormancy_risk")
    check_bundle(config, risk, place="champion of dormancy_risk")
    natural, natural_version, natural_source = champion(config, "natural_return")
    check_bundle(config, natural, place="champion of natural_return")
    champions = Champions(
        ChampionModel(risk, version, source),
        ChampionModel(natural, natural_version, natural_source),
    )
    try:
        when, version, source = champion(config, RETURN_TIME)
        check_bundle(config, when, place="champion of return_time")
        champions = replace(champions, return_time=ChampionModel(when, version, source))
    except ArtifactError as error:
        champions = replace(champions, absence=absence_of(error))
    try:
        effects, version, source = champion(config, CONTACT_EFFECT)
        check_bundle(config, effects, place="champion of contact_effect")
        champions = replace(champions, effects=ChampionModel(effects, version, source))
    except ArtifactError as error:
        champions = replace(champions, assumption=absence_of(error))
    return champions


def provenance_of(config: Config, models: Champions) -> Provenance:
    """What a list made now would be made with."""
    return Provenance(
        model_version=" ".join(model.label for model in models.in_use),
        config_digest=config.digest[:CONFIG_HASH_DIGITS],
    )


def build_scorer(
    config: Config,
    warehouse: Warehouse,
    policy: NightPolicy,
    models: Champions,
) -> Scorer:
    """The scorer of one night, bound to the tables' present versions."""
    present = warehouse.versions()
    versions = {name: present[name] for name in INPUT_TABLES}
    risk, natural = models.risk.bundle, models.natural.bundle
    when = None if models.return_time is None else models.return_time.bundle
    return Scorer(
        warehouse=warehouse,
        versions=versions,
        as_of_us=policy.as_of_us,
        zone=policy.zone,
        stages=config.stages,
        flag_names=asked_flags(config.channels, config.caps),
        complaint_flags=config.caps.complaint_flags,
        risk=risk,
        natural=natural,
        risk_reader=HistoryReader(warehouse, spec=risk.spec, versions=versions),
        natural_reader=HistoryReader(
            warehouse, spec=natural.spec, versions=versions, offers=tuple(config.offers)
        ),
        offer_window=find_offer_window(
            warehouse,
            tuple(config.offers),
            as_of_us=policy.as_of_us,
            no_offer=NO_OFFER,
            versions=versions,
        ),
        when=when,
        when_reader=None
        if when is None
        else HistoryReader(warehouse, spec=when.spec, versions=versions),
    )
