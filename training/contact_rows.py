"""What a study of the company's own past contacts compares: customers at cutoffs."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.history import History
from features.history_sample import customer_hashes
from features.matrix import FeatureMatrix, build_matrix
from features.spec import FeatureSpec
from features.stage import Stage
from features.stage_state import NO_STAGE, StageStates, stage_states
from models.effect_features import effect_features
from training.effect_sample import NO_CONTACT
from training.labels import DAY_US, returned

Float32Array = NDArray[np.float32]
Int64Array = NDArray[np.int64]
Int16Array = NDArray[np.int16]
Int8Array = NDArray[np.int8]
UInt64Array = NDArray[np.uint64]
BoolArray = NDArray[np.bool_]

OTHER_CONTACT = -2
"""The action code of a contact that is not one of the configured actions."""

UNKNOWN = -1
"""Stands for a pre-period outcome that nobody can know."""

PRE_DAYS = 28
"""Length of the pre-period in which a placebo looks for an effect of a later contact."""

_CLOCK_CHANGE_US = DAY_US // 12
"""Days of local time differ by an hour or two where clocks change."""

_STATE_NAMES = ("silence_days", "stage", "as_of_days")


@dataclass(frozen=True, slots=True)
class StudySetting:
    """What all rows of a study share.

    Attributes
    ----------
    spec : feature specification with its attribute vocabulary.
    stages : the ladder, in configured order.
    actions : names such as "sms/none" in configured order.
    as_ofs : cutoffs, us, UTC, ascending, shape (n_cutoffs,).
    pre_as_ofs : instants at which a pre-period may begin, us, UTC, ascending.
    decision_us : a contact counts as this cutoff's if sent so soon after it.
    gap_us, horizon_us : the outcome window [as_of + gap, as_of + gap + horizon).
    known_before_us : outcomes and contacts count if they had arrived before it.
    at_risk : customers not yet dormant are studied too.
    """

    spec: FeatureSpec
    stages: tuple[Stage, ...]
    actions: tuple[str, ...]
    as_ofs: Int64Array
    pre_as_ofs: Int64Array
    decision_us: int
    gap_us: int
    horizon_us: int
    known_before_us: int
    at_risk: bool = False


@dataclass(frozen=True, slots=True)
class SentContacts:
    """Contacts of a bucket's customers in order of customer, then time.

    Attributes
    ----------
    offsets : customer i owns rows offsets[i]:offsets[i + 1], shape (n_customers + 1,).
    sent_at : us, UTC, shape (n,).
    action : place in the configured actions, or `OTHER_CONTACT`; shape (n,).
    """

    offsets: Int64Array
    sent_at: Int64Array
    action: Int16Array


@dataclass(frozen=True, slots=True)
class Trials:
    """When a bucket's customers were listed by winback or assigned in an imported experiment.

    Attributes
    ----------
    offsets : customer i owns rows offsets[i]:offsets[i + 1], shape (n_customers + 1,).
    at : us, UTC, ascending within a customer, shape (n,).
    """

    offsets: Int64Array
    at: Int64Array


@dataclass(frozen=True, slots=True)
class RowCounts:
    """Customers at cutoffs that a study met, and what became of them.

    Attributes
    ----------
    considered : dormant (or at risk, where they are listed too) at a cutoff.
    unreachable : left out, no channel was open to them.
    on_trial : left out, listed by winback or assigned in an experiment around then: effects
        are learnt from those with the propensities that were logged, and not twice.
    closed_channel : contacted through a channel that the customer record closes; kept, but
        as no action of the study.
    other_contact : contacted in a channel or with an offer that is not configured; kept so too.
    """

    considered: int = 0
    unreachable: int = 0
    on_trial: int = 0
    closed_channel: int = 0
    other_contact: int = 0

    def __add__(self, other: "RowCounts") -> "RowCounts":
        return RowCounts(
            *(getattr(self, one.name) + getattr(other, one.name) for one in fields(self))
        )


@dataclass(frozen=True, slots=True)
class ContactRows:
    """One row per customer and cutoff.

    Attributes
    ----------
    x : features as of the cutoff, shape (n, F), float32 without NaN.
    x_before : the same as of the begin of the pre-period; only silence, stage, date,
        open channels and contact pressure are those of the cutoff: rules of contact go by them.
    feature_names : names of both.
    action : the first contact inside the decision window: place in `actions`, `NO_CONTACT`
        or `OTHER_CONTACT`; shape (n,).
    possible : the action's channel was open to the customer, shape (n, A).
    returned : came back in the outcome window, shape (n,).
    before : showed a sign of life in the pre-period, `UNKNOWN` where that has no meaning; (n,).
    later : contacted (again) between decision and end of the outcome window, shape (n,).
    cluster : hash of the customer's id, shape (n,).
    as_of_us : the cutoff, us, UTC, shape (n,).
    actions : names of the actions.
    counts : what was left out.
    """

    x: Float32Array
    x_before: Float32Array
    feature_names: tuple[str, ...]
    action: Int16Array
    possible: BoolArray
    returned: Int8Array
    before: Int8Array
    later: BoolArray
    cluster: UInt64Array
    as_of_us: Int64Array
    actions: tuple[str, ...]
    counts: RowCounts = RowCounts()

    def __len__(self) -> int:
        return len(self.action)

    def take(self, rows: NDArray[Any]) -> "ContactRows":
        """The chosen rows, by mask or position; the counts stay."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _ROW_FIELDS})


_ROW_FIELDS = (
    "x",
    "x_before",
    "action",
    "possible",
    "returned",
    "before",
    "later",
    "cluster",
    "as_of_us",
)


def concat_contact_rows(pieces: Sequence[ContactRows]) -> ContactRows:
    """Rows of several buckets, one after the other, their counts added up."""
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(piece, name) for piece in pieces]) for name in _ROW_FIELDS
    }
    counts = sum((piece.counts for piece in pieces), RowCounts())
    return replace(pieces[0], **columns, counts=counts)


def collect_contact_rows(
    history: History,
    sent: SentContacts,
    open_channels: BoolArray,
    trials: Trials,
    *,
    setting: StudySetting,
) -> ContactRows:
    """Rows of one bucket at all cutoffs.

    Parameters
    ----------
    history : one bucket.
    sent : contacts of its customers that were known before `known_before_us`.
    open_channels : the customer record, as known at the cutoff, lets the channel be used;
        shape (n_customers, n_cutoffs, n_channels).
    trials : lists and experiments that its customers were on.
    setting : cutoffs, windows and actions.
    """
    spec, stages = setting.spec, setting.stages
    states = stage_states(history, stages, spec=spec, as_ofs=setting.as_ofs)
    chosen = _population(states, setting)
    customer = states.customer[chosen].astype(np.int64)
    as_of, stage = states.as_of[chosen], states.stage[chosen]
    per_channel = max(len(setting.actions) // max(open_channels.shape[2], 1), 1)
    possible = np.repeat(
        open_channels[customer, np.searchsorted(setting.as_ofs, as_of)], per_channel, axis=1
    )
    windows = (setting.decision_us, setting.gap_us + setting.horizon_us)
    action, later = _first_contact(
        sent.offsets, sent.sent_at, sent.action, customer, as_of, *windows
    )
    reachable = possible.any(axis=1)
    tried = reachable & _any_around(trials.offsets, trials.at, customer, as_of, setting.decision_us)
    kept = reachable & ~tried
    action, closed = _without_closed(action, possible)
    pre = _pre_periods(states, chosen, setting)
    x, x_before, names, known = _features(history, states, chosen, pre, setting)
    is_open = possible[:, ::per_channel].astype(np.float32)
    x, x_before = np.column_stack([x, is_open]), np.column_stack([x_before, is_open])
    names += tuple(f"open_{name.split('/', 1)[0]}" for name in setting.actions[::per_channel])
    back = returned(
        history,
        spec=spec,
        stages=stages,
        rows=(customer, as_of, stage),
        window=(setting.gap_us, setting.horizon_us),
        known_before_us=np.full(len(as_of), setting.known_before_us),
    )
    rows = ContactRows(
        x=x,
        x_before=x_before,
        feature_names=names,
        action=action,
        possible=possible,
        returned=back.astype(np.int8),
        before=np.where(
            known, _signs_of_life(history, (customer, pre, stage), setting), UNKNOWN
        ).astype(np.int8),
        later=later,
        cluster=customer_hashes(history)[customer],
        as_of_us=as_of,
        actions=setting.actions,
        counts=RowCounts(
            considered=len(action),
            unreachable=int(np.count_nonzero(~reachable)),
            on_trial=int(np.count_nonzero(tried)),
            closed_channel=int(np.count_nonzero(closed & kept)),
            other_contact=int(np.count_nonzero((action == OTHER_CONTACT) & ~closed & kept)),
        ),
    )
    return rows.take(np.flatnonzero(kept))


def sample_uncontacted(rows: ContactRows, at_most: int) -> ContactRows:
    """All contacted rows, and so many of the others, by hash of customer and cutoff.

    Contacts are what a study is short of; the effect is then that on customers more like
    those contacted.
    """
    idle = rows.action == NO_CONTACT
    count = int(np.count_nonzero(idle))
    if count <= at_most:
        return rows
    mixed = rows.cluster ^ (rows.as_of_us.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    mixed = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0xD6E8FEB86659FD93)
    drawn = (mixed >> np.uint64(32)) < np.uint64(int(at_most / count * 2**32))
    return rows.take(np.flatnonzero(~idle | drawn))


def _population(states: StageStates, setting: StudySetting) -> Int64Array:
    counted = np.array([stage.silence_days is not None for stage in setting.stages])
    recalled = (states.stage != NO_STAGE) & counted[states.stage]
    return np.flatnonzero(recalled if setting.at_risk else recalled & states.dormant)


def _without_closed(action: Int16Array, possible: BoolArray) -> tuple[Int16Array, BoolArray]:
    """A contact through a closed channel has probability 0, so it is no action of the study."""
    known = np.flatnonzero(action >= 0)
    closed = np.zeros(len(action), dtype=np.bool_)
    closed[known] = ~possible[known, action[known]]
    return np.where(closed, OTHER_CONTACT, action).astype(np.int16), closed


def own_signs(stage: Stage, setting: StudySetting) -> tuple[str, ...]:
    """Activity that does not end the stage's silence: what the dormant still may do."""
    milestones = {name for one in setting.stages for name in one.entered_by}
    barred = milestones | set(stage.active_on) | set(stage.returns_by)
    return tuple(name for name in setting.spec.activity if name not in barred)


def _pre_periods(states: StageStates, chosen: Int64Array, setting: StudySetting) -> Int64Array:
    """Where each row's pre-period begins, us, UTC, shape (n,).

    Who is dormant has by definition shown none of the signs that end silence. So the
    pre-period lies before the cutoff where the stage knows signs of life that do not end
    silence, else before the silence began. -1 where it would begin before all data.
    """
    as_of, stage = states.as_of[chosen], states.stage[chosen]
    has_own = np.array([bool(own_signs(one, setting)) for one in setting.stages])
    silent_since = as_of - np.round(states.silence_days[chosen] * DAY_US).astype(np.int64)
    latest = np.where(has_own[stage], as_of, silent_since) - PRE_DAYS * DAY_US
    grid = setting.pre_as_ofs
    place = np.searchsorted(grid, latest + _CLOCK_CHANGE_US, side="right") - 1
    return np.where(place >= 0, grid[np.maximum(place, 0)], np.int64(-1))


def _features(
    history: History,
    states: StageStates,
    chosen: Int64Array,
    pre: Int64Array,
    setting: StudySetting,
) -> tuple[Float32Array, Float32Array, tuple[str, ...], BoolArray]:
    """Features at the cutoffs and at the begin of the pre-periods, their names, who had any."""
    as_of = states.as_of[chosen]
    state = np.column_stack(
        [
            np.log1p(states.silence_days[chosen]),
            states.stage[chosen],
            (as_of - setting.as_ofs[0]) / DAY_US,
        ]
    )
    as_ofs = np.unique(np.concatenate([setting.as_ofs, pre[pre > 0]]))
    matrix = build_matrix(history, spec=setting.spec, as_ofs=as_ofs)
    place = _places(matrix, as_ofs, history.n_customers)
    customer = states.customer[chosen]
    at_cutoff = place[customer, np.searchsorted(as_ofs, as_of)]
    values, names = effect_features(matrix.values[at_cutoff], setting.spec)
    before = np.where(pre > 0, place[customer, np.searchsorted(as_ofs, np.maximum(pre, 0))], -1)
    seen = before >= 0
    earlier = np.zeros_like(values)
    earlier[seen] = effect_features(matrix.values[before[seen]], setting.spec)[0]
    pressure = [at for at, name in enumerate(names) if "_sent_" in name]
    earlier[:, pressure] = values[:, pressure]
    return (
        np.column_stack([values, state]).astype(np.float32),
        np.column_stack([earlier, state]).astype(np.float32),
        (*names, *_STATE_NAMES),
        seen,
    )


def _places(matrix: FeatureMatrix, as_ofs: Int64Array, n_customers: int) -> Int64Array:
    """The matrix row of each customer and as-of, -1 for none; shape (n_customers, n_as_ofs)."""
    place = np.full((n_customers, len(as_ofs)), -1, dtype=np.int64)
    rows = np.arange(len(matrix.customer))
    place[matrix.customer, np.searchsorted(as_ofs, matrix.as_of)] = rows
    return place


def _signs_of_life(
    history: History, rows: tuple[Int64Array, Int64Array, Int16Array], setting: StudySetting
) -> BoolArray:
    """Whether a sign of life fell into the pre-period of (customer, its begin, stage); (n,)."""
    signs = tuple(
        replace(one, returns_by=own_signs(one, setting) or (*one.returns_by, *one.active_on))
        for one in setting.stages
    )
    return returned(
        history,
        spec=setting.spec,
        stages=signs,
        rows=rows,
        window=(0, PRE_DAYS * DAY_US - _CLOCK_CHANGE_US),
        known_before_us=np.full(len(rows[1]), setting.known_before_us),
    )


@njit(cache=True, nogil=True)
def _first_contact(
    offsets: Int64Array,
    sent_at: Int64Array,
    action: Int16Array,
    customer: Int64Array,
    as_of: Int64Array,
    decision: int,
    reach: int,
) -> tuple[Int16Array, BoolArray]:
    """The first contact inside the decision window, and whether more came in the outcome's."""
    chosen = np.full(len(customer), NO_CONTACT, dtype=np.int16)
    later = np.zeros(len(customer), dtype=np.bool_)
    for row in range(len(customer)):
        first, last = offsets[customer[row]], offsets[customer[row] + 1]
        at = first + np.searchsorted(sent_at[first:last], as_of[row])
        if at < last and sent_at[at] < as_of[row] + decision:
            chosen[row] = action[at]
        while at < last and sent_at[at] < as_of[row] + decision:
            at += 1
        later[row] = at < last and sent_at[at] < as_of[row] + reach
    return chosen, later


@njit(cache=True, nogil=True)
def _any_around(
    offsets: Int64Array,
    at: Int64Array,
    customer: Int64Array,
    as_of: Int64Array,
    reach: int,
) -> BoolArray:
    """Whether a row's customer has an instant in [as_of - reach, as_of + reach)."""
    found = np.zeros(len(customer), dtype=np.bool_)
    for row in range(len(customer)):
        first, last = offsets[customer[row]], offsets[customer[row] + 1]
        place = first + np.searchsorted(at[first:last], as_of[row] - reach)
        found[row] = place < last and at[place] < as_of[row] + reach
    return found
