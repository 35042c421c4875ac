"""What becomes rows of a study of past contacts: one bucket's customers at all cutoffs."""

from dataclasses import dataclass, replace

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
from training.contact_rows import OTHER_CONTACT, UNKNOWN, ContactRows, RowCounts
from training.effect_sample import NO_CONTACT
from training.labels import DAY_US, returned

Float32Array = NDArray[np.float32]
Int64Array = NDArray[np.int64]
Int16Array = NDArray[np.int16]
BoolArray = NDArray[np.bool_]

PRE_DAYS = 28
"""Length of the pre-period in which a placebo looks for an effect of a later contact."""

_CLOCK_CHANGE_US = DAY_US // 12
"""Days of local time differ by an hour or two where clocks change."""

_RULED_BY = ("order_amount_mean",)
"""Features that rules of contact go by and that hardly tell whether an order was in the
pre-period; like contact pressure they are those of the cutoff."""

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
        testable=_knows_own_signs(setting)[stage],
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


def _knows_own_signs(setting: StudySetting) -> BoolArray:
    return np.array([bool(own_signs(one, setting)) for one in setting.stages], dtype=np.bool_)


def _pre_periods(states: StageStates, chosen: Int64Array, setting: StudySetting) -> Int64Array:
    """Where each row's pre-period begins, us, UTC, shape (n,).

    Who is dormant has by definition shown none of the signs that end silence. So the
    pre-period lies before the cutoff where the stage knows signs of life that do not end
    silence, else before the silence began. -1 where it would begin before all data.
    """
    as_of, stage = states.as_of[chosen], states.stage[chosen]
    has_own = _knows_own_signs(setting)
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
    kept = [at for at, name in enumerate(names) if "_sent_" in name or name in _RULED_BY]
    earlier[:, kept] = values[:, kept]
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
