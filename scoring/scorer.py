"""One bucket's customers from the warehouse to scores: the unit of nightly work."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.active_hours import ActiveHours, CustomerZones, count_active_hours
from features.coupon_history import NO_OFFERS_KNOWN, OfferWindow
from features.history import History
from features.history_reader import HistoryReader, read_columns
from features.kernels.recency import recency_columns
from features.matrix import FeatureMatrix, build_matrix
from features.return_counts import count_returns
from features.stage import Stage
from features.stage_state import StageStates, stage_states
from features.warehouse import Warehouse
from models.bundle import Bundle, ReturnTimeBundle
from models.customer_value import customer_values
from models.effect_features import effect_features
from models.order_value import kept_share, net_mean_order
from models.return_probability import ModelRows, ReturnModels, return_probabilities
from scoring.customer_past import read_past
from scoring.follow_up import no_follow_ups
from scoring.pressure import count_contacts
from scoring.reachability import PROFILE_COLUMNS, Reachability, read_reachability
from scoring.reasons import Circumstances, Wording, give_reasons, learn_words
from scoring.return_days import ReturnDays, list_return_days
from scoring.scored import ScoredCustomers, select_pressure

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BucketView:
    """All that is known of one bucket's visible customers at the as-of.

    `matrices` holds one feature matrix per distinct specification of the models; their
    rows are the same customers.
    """

    history: History
    states: StageStates
    matrices: Mapping[str, FeatureMatrix]

    @property
    def customer_id(self) -> pa.Array:
        """Arrow string array, one id per row."""
        return self.history.names.take(pa.array(self.states.customer))


@dataclass(frozen=True, slots=True)
class Scorer:
    """Everything that scoring a bucket needs besides the bucket's number.

    Attributes
    ----------
    versions : Delta version at which each table is read.
    as_of_us : the as-of, microseconds since 1970-01-01 UTC.
    zone : the business's IANA zone.
    flag_names, complaint_flags : customer flags that the night asks for, and those of them
        that say a complaint is open.
    risk, natural : the models for the not dormant and the dormant.
    risk_reader, natural_reader : read histories for their specifications at `versions`.
    when, when_reader : the model of return times with its reader; None without one.
    offer_window : which orders and offers tell of promotion sensitivity.
    threads : threads one prediction may use.
    """

    warehouse: Warehouse
    versions: dict[str, int]
    as_of_us: int
    zone: str
    stages: tuple[Stage, ...]
    flag_names: tuple[str, ...]
    risk: Bundle
    natural: Bundle
    risk_reader: HistoryReader
    natural_reader: HistoryReader
    when: ReturnTimeBundle | None = None
    when_reader: HistoryReader | None = None
    complaint_flags: tuple[str, ...] = ()
    offer_window: OfferWindow = NO_OFFERS_KNOWN
    threads: int = 1

    def score(self, bucket: int) -> ScoredCustomers:
        """Score every customer of the bucket who has a visible event."""
        view = self.view(bucket)
        states = view.states
        natural = self._matrix(view, self.natural)
        p_dormant, p_natural = self.probabilities(view)
        ids = view.customer_id
        contacts = count_contacts(
            view.history.contacts, n_channels=len(self.risk.spec.channels), as_of_us=self.as_of_us
        )

        effect_x, effect_names = self.effect_features(view)
        reach = self._reach(bucket, ids)

        def column(name: str) -> Float64Array:
            return natural.column(name).astype(np.float64)

        return ScoredCustomers(
            customer_id=ids,
            bucket=np.full(len(ids), bucket, dtype=np.int32),
            stage=states.stage,
            silence_days=states.silence_days,
            dormant=states.dormant,
            p_dormant=p_dormant,
            p_natural=p_natural,
            mean_order=net_mean_order(natural),
            orders=column("orders_lifetime"),
            yearly_spend=column("spend_365d") * kept_share(column("refund_share_365d")),
            yearly_orders=column("orders_365d"),
            reach=reach,
            pressure=select_pressure(contacts, states.customer.astype(np.int64)),
            days_since_order=column("recency_days_order"),
            days_since_return=self._days_since_return(natural),
            follow_ups=no_follow_ups(len(ids)),
            past=read_past(
                view.history,
                self.stages,
                spec=self.natural.spec,
                states=states,
                window=self.offer_window,
            ),
            last_event_us=self._last_event_us(view.history),
            effect_x=effect_x,
            effect_names=effect_names,
            active=self._active_hours(view, reach),
        )

    def view(self, bucket: int) -> BucketView:
        """Read a bucket and compute its stages and features."""
        return self.view_at(self.as_of_us, read=lambda reader: reader.read(bucket))

    def view_at(self, as_of_us: int, *, read: Callable[[HistoryReader], History]) -> BucketView:
        """Compute stages and features of a bucket at an instant.

        Parameters
        ----------
        as_of_us : UTC instant in microseconds.
        read : how a reader's history is come by.
        """
        as_ofs = np.array([as_of_us], dtype=np.int64)
        history = read(self.natural_reader)
        states = stage_states(history, self.stages, spec=self.natural.spec, as_ofs=as_ofs)
        matrices = {
            self.natural.spec.digest(): build_matrix(history, spec=self.natural.spec, as_ofs=as_ofs)
        }
        if self.risk.spec.digest() not in matrices:
            # Trained at another time: other attribute values may be known to it.
            matrices[self.risk.spec.digest()] = build_matrix(
                read(self.risk_reader), spec=self.risk.spec, as_ofs=as_ofs
            )
        return BucketView(history=history, states=states, matrices=matrices)

    def return_days(self, view: BucketView, rows: Int64Array) -> list[ReturnDays]:
        """Days to the next order of the given rows of a view; empty without a model.

        Parameters
        ----------
        view : of one bucket.
        rows : positions among the bucket's scored customers, on stages with silence_days.
        """
        if self.when is None or self.when_reader is None:
            return []
        matrix = view.matrices.get(self.when.spec.digest())
        if matrix is None:
            # Trained at another time: other attribute values may be known to it.
            own = self.when_reader.read(view.history.bucket)
            matrix = build_matrix(own, spec=self.when.spec, as_ofs=np.array([self.as_of_us]))
        curves = self.when.curves(matrix.values[rows], threads=self.threads)
        return list_return_days(curves.forecast())

    def reasons(
        self,
        view: BucketView,
        rows: Int64Array,
        *,
        wording: Wording,
        tell_unsubscribed: bool,
    ) -> list[list[str]]:
        """Up to three phrases for each of the given rows of a view.

        Parameters
        ----------
        view : of one bucket.
        rows : positions among the bucket's scored customers.
        wording : how the business speaks of its customers.
        tell_unsubscribed : whether having unsubscribed may be among them.
        """
        contributions, values = self.contributions(view, rows)
        return give_reasons(
            contributions,
            values,
            words=learn_words(self.natural.spec, channel_labels=wording.channel_labels),
            circumstances=Circumstances(
                stage=view.states.stage[rows],
                silence_days=view.states.silence_days[rows],
                stages=self.stages,
                orders=self.natural.spec.orders,
                wording=wording,
                tell_unsubscribed=tell_unsubscribed,
            ),
        )

    def _days_since_return(self, matrix: FeatureMatrix) -> Float64Array:
        """Since the last event that counts as a return on some stage, or order; else NaN."""
        spec = self.natural.spec
        counted = {*spec.orders, *(kind for stage in self.stages for kind in stage.returns_by)}
        days = np.full(len(matrix.values), np.nan)
        for name, column in zip(spec.event_types, recency_columns(spec), strict=True):
            if name in counted:
                days = np.fmin(days, matrix.column(column).astype(np.float64))
        return days

    def _last_event_us(self, history: History) -> int:
        events = history.events
        visible = (events.occurred_at < self.as_of_us) & (events.arrived_at < self.as_of_us)
        return int(events.occurred_at.max(where=visible, initial=0))

    def _active_hours(self, view: BucketView, reach: Reachability) -> ActiveHours:
        zones = CustomerZones(names=reach.zones, zone=reach.zone, default=self.zone)
        return count_active_hours(
            view.history,
            view.states.customer,
            spec=self.natural.spec,
            zones=zones,
            as_of_us=self.as_of_us,
        )

    def _matrix(self, view: BucketView, bundle: Bundle) -> FeatureMatrix:
        return view.matrices[bundle.spec.digest()]

    def contributions(
        self, view: BucketView, rows: Int64Array
    ) -> tuple[Float64Array, NDArray[np.float32]]:
        """What moved each row's probability, by feature.

        The dormant get the natural-return model's contributions, the others the
        dormancy-risk model's.

        Returns
        -------
        Log-odds, shape (n_rows, n_features), and the features themselves.
        """
        dormant = view.states.dormant[rows]
        natural = self._matrix(view, self.natural).values[rows]
        risk = self._matrix(view, self.risk).values[rows]
        parts = np.zeros(natural.shape, dtype=np.float64)
        if dormant.any():
            parts[dormant] = self.natural.contributions(natural[dormant], threads=self.threads)
        if not dormant.all():
            parts[~dormant] = self.risk.contributions(risk[~dormant], threads=self.threads)
        return parts, natural

    def probabilities(self, view: BucketView) -> tuple[Float64Array, Float64Array]:
        """P(dormant) and P(return without contact) of a view's rows; see the function called."""
        states = view.states
        risk, natural = self._matrix(view, self.risk), self._matrix(view, self.natural)
        counts = count_returns(view.history, self.stages, spec=self.natural.spec, states=states)
        rows = ModelRows(
            stage=states.stage,
            dormant=states.dormant,
            value=customer_values(natural, states, counts, slice(None)),
            risk=risk.values,
            natural=natural.values,
        )
        return return_probabilities(
            rows,
            models=ReturnModels(self.risk, self.natural),
            stages=self.stages,
            threads=self.threads,
        )

    def effect_features(self, view: BucketView) -> tuple[Float64Array, tuple[str, ...]]:
        """What effects of contact may depend on, of a view's rows, and the columns' names."""
        return effect_features(self._matrix(view, self.natural).values, self.natural.spec)

    def _reach(self, bucket: int, ids: pa.Array) -> Reachability:
        files = self.warehouse.files("customers", bucket=bucket, version=self.versions["customers"])
        profiles = read_columns("customers", files, columns=PROFILE_COLUMNS)
        return read_reachability(
            profiles,
            customer_ids=ids,
            flag_names=self.flag_names,
            as_of_us=self.as_of_us,
            complaint_flags=self.complaint_flags,
        )
