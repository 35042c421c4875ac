"""Reading what a study of past contacts compares out of the warehouse."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.arrow_columns import (
    codes_of,
    encoded,
    positions_in,
    time_values,
    translated,
    words_of,
)
from features.history import NO_CODE, History
from features.history_reader import HistoryReader, read_columns
from features.history_sample import customer_hashes, lowest_hashes, select_customers
from features.kernels.order import customer_offsets
from features.local_day import local_midnight_us
from features.progress import Progress, silent
from features.warehouse import Warehouse
from pipelines.config import Config
from pipelines.effect_rows import read_assigned
from pipelines.empty_days import DayCounts
from pipelines.engine import iterate_buckets
from scoring.eligibility import required_flags
from scoring.pressure import count_contacts
from scoring.reachability import PROFILE_COLUMNS, read_reachability
from training.assignment_log import AssignedRows
from training.contact_cutoffs import (
    PRE_DAYS,
    SentContacts,
    StudySetting,
    Trials,
    collect_contact_rows,
)
from training.contact_rows import (
    OTHER_CONTACT,
    ContactRows,
    concat_contact_rows,
    sample_uncontacted,
)
from training.folds import Folds, last_midnight
from training.labels import DAY_US

Int64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

STEP_DAYS = 7
"""One cutoff in so many days: effects need many contacts, and each cutoff uses only those of its
decision window."""

MOST_CUTOFFS = 26
CUSTOMERS = 20_000
"""Most customers that are read, by hash."""

UNCONTACTED_ROWS = 100_000
"""Most rows without contact that are compared."""

_CONTACT_COLUMNS = (
    "customer_id",
    "contact_id",
    "channel",
    "offer",
    "list_row_id",
    "arrived_at",
    "sent_at",
)
_NO_OFFER = "none"


def plan_study(
    config: Config,
    warehouse: Warehouse,
    reader: HistoryReader,
    inputs: dict[str, int],
    *,
    folds: Folds,
    first_us: int,
) -> StudySetting:
    """Cutoffs and windows; all outcomes are known.

    Each week back from the test cutoff has one cutoff: the midnight that the most contacts
    followed within the decision window. Weeks without contacts have none, as there is nobody
    to compare with. The decision window is the gap of the label window, or a day where the
    gap is shorter: who is contacted in it has not yet entered the outcome window.

    Parameters
    ----------
    config : stages, channels and offers.
    warehouse : open.
    reader : has the feature specification.
    inputs : Delta version of each table.
    folds : the training run's cutoffs.
    first_us : first occurred_at known to the run.
    """
    timezone = ZoneInfo(config.business.timezone)
    decision_us = max(folds.gap_us, DAY_US)
    test = folds.of("test")[0].day
    earliest = last_midnight(first_us + folds.gap_us + folds.horizon_us, timezone)
    sent = _contacts_per_day(warehouse, inputs, folds.trained_until_us, timezone)
    cutoffs = choose_cutoffs(
        sent, first=earliest + timedelta(days=1), last=test, decision_days=decision_us // DAY_US
    )

    def midnights(days: Iterable[date]) -> Int64Array:
        found = {local_midnight_us(day, timezone) for day in days}
        return np.array(sorted(at for at in found if at > first_us), dtype=np.int64)

    start = last_midnight(first_us, timezone)
    monthly = (test - timedelta(days=back) for back in range(0, (test - start).days, PRE_DAYS))
    before = (day - timedelta(days=PRE_DAYS) for day in cutoffs)
    return StudySetting(
        spec=reader.spec,
        stages=config.stages,
        actions=tuple(
            f"{channel}/{offer}" for channel in config.channels for offer in config.offers
        ),
        as_ofs=midnights(cutoffs),
        pre_as_ofs=midnights([*before, *monthly]),
        decision_us=decision_us,
        gap_us=decision_us,
        horizon_us=folds.horizon_us,
        known_before_us=folds.trained_until_us,
        at_risk=config.list.at_risk_probability is not None,
    )


def _contacts_per_day(
    warehouse: Warehouse, inputs: dict[str, int], until_us: int, timezone: ZoneInfo
) -> DayCounts | None:
    """Contacts known before an instant by local day; None if there are none."""
    parts = []
    for bucket in range(warehouse.n_buckets):
        table = _columns(warehouse, inputs, "contacts", bucket, ("sent_at", "arrived_at"))
        times = time_values(table["sent_at"])
        times = times[(times < until_us) & (time_values(table["arrived_at"]) < until_us)]
        if len(times):
            parts.append(DayCounts.of(times, timezone))
    return DayCounts.joined(parts) if parts else None


def choose_cutoffs(
    sent: DayCounts | None, *, first: date, last: date, decision_days: int
) -> tuple[date, ...]:
    """Of each week back from `last` the day that the most contacts followed, ascending.

    Parameters
    ----------
    sent : contacts by local day.
    first, last : earliest and latest day that may be a cutoff.
    decision_days : days from a cutoff in which contacts are its own.
    """
    if sent is None:
        return ()
    follows = {
        sent.first + timedelta(days=at): int(sent.per_day[max(at, 0) : at + decision_days].sum())
        for at in range(1 - decision_days, len(sent.per_day))
    }
    chosen: list[date] = []
    week = last
    while week >= first and len(chosen) < MOST_CUTOFFS:
        days = [week - timedelta(days=back) for back in range(STEP_DAYS)]
        # No contact belongs to two cutoffs.
        end = chosen[-1] - timedelta(days=decision_days) if chosen else last
        counts = {day: follows.get(day, 0) for day in days if first <= day <= end}
        best = max(counts, key=lambda day: counts[day], default=None)
        if best is not None and counts[best]:
            chosen.append(best)
        week -= timedelta(days=STEP_DAYS)
    return tuple(chosen[::-1])


def read_contact_rows(
    config: Config,
    warehouse: Warehouse,
    reader: HistoryReader,
    inputs: dict[str, int],
    *,
    setting: StudySetting,
    progress: Progress = silent,
) -> ContactRows:
    """Rows of a sample of customers from all buckets.

    Parameters
    ----------
    config : channels and what they require.
    warehouse : open.
    reader : reads the same versions.
    inputs : Delta version of each table.
    setting : cutoffs and windows.
    progress : told after each bucket.
    """
    at_most = -(-CUSTOMERS // warehouse.n_buckets)
    assigned = read_assigned(config, warehouse)

    def of_bucket(bucket: int) -> ContactRows:
        history = reader.read(bucket)
        history = select_customers(history, lowest_hashes(customer_hashes(history), at_most))
        contacts = _columns(warehouse, inputs, "contacts", bucket, _CONTACT_COLUMNS)
        own = assigned.take(assigned.bucket == bucket)
        profiles = _columns(warehouse, inputs, "customers", bucket, PROFILE_COLUMNS)
        return collect_contact_rows(
            history,
            sent_contacts(config, contacts, history, known_before_us=setting.known_before_us),
            _open_channels(config, profiles, history, setting.as_ofs),
            find_trials(own, contacts, history),
            setting=setting,
        )

    pieces = iterate_buckets(
        of_bucket,
        range(warehouse.n_buckets),
        threads=config.training.learner.threads,
        progress=progress,
        task="reading contacts",
    )
    return sample_uncontacted(concat_contact_rows(list(pieces)), UNCONTACTED_ROWS)


def _columns(
    warehouse: Warehouse, inputs: dict[str, int], name: str, bucket: int, columns: tuple[str, ...]
) -> Any:
    files = warehouse.files(name, bucket=bucket, version=inputs.get(name))
    return read_columns(name, files, columns=columns)


def sent_contacts(
    config: Config, table: Any, history: History, *, known_before_us: int
) -> SentContacts:
    """The last known version of each contact, as one of the configured actions.

    A contact without an offer is one with "none"; one of another channel or offer than the
    configured ones is an `OTHER_CONTACT`.
    """
    customer = _codes(table["customer_id"], history.names)
    contact = codes_of(encoded(table["contact_id"]))
    arrived, sent = time_values(table["arrived_at"]), time_values(table["sent_at"])
    channel = _codes(table["channel"], tuple(config.channels))
    offer = _codes(table["offer"].fill_null(_NO_OFFER), tuple(config.offers))
    known = np.flatnonzero((customer != NO_CODE) & (arrived < known_before_us))
    order = known[np.lexsort((sent[known], arrived[known], contact[known]))]
    last = np.append(contact[order][1:] != contact[order][:-1], True) if len(order) else order > 0
    rows = order[last]
    rows = rows[np.lexsort((offer[rows], channel[rows], sent[rows], customer[rows]))]
    action = channel[rows] * len(config.offers) + offer[rows]
    named = (channel[rows] != NO_CODE) & (offer[rows] != NO_CODE)
    return SentContacts(
        offsets=customer_offsets(customer[rows], history.n_customers),
        sent_at=sent[rows],
        action=np.where(named, action, OTHER_CONTACT).astype(np.int16),
    )


def find_trials(assigned: AssignedRows, contacts: Any, history: History) -> Trials:
    """When customers were assigned, and when a contact named the list row it came from."""
    listed = contacts.filter(pc.is_valid(contacts["list_row_id"]))
    who = pa.chunked_array([assigned.customer_id]) if len(assigned) else listed["customer_id"][:0]
    customer = np.concatenate(
        [_codes(who, history.names), _codes(listed["customer_id"], history.names)]
    )
    at = np.concatenate([assigned.assigned_us, time_values(listed["sent_at"])])
    known = np.flatnonzero(customer != NO_CODE)
    rows = known[np.lexsort((at[known], customer[known]))]
    return Trials(customer_offsets(customer[rows], history.n_customers), at[rows])


def _codes(column: Any, known: Any) -> NDArray[np.int32]:
    words = encoded(column)
    return translated(words, positions_in(words_of(words), known))


def _open_channels(
    config: Config, profiles: Any, history: History, as_ofs: Int64Array
) -> BoolArray:
    """Channels that consent and reachability left open, as known at each cutoff.

    Shape (n_customers, n_cutoffs, n_channels). Caps and pauses are not asked: past contacts
    did not follow those of today.
    """
    names = required_flags(config.channels)
    is_open = np.ones((history.n_customers, len(as_ofs), len(config.channels)), dtype=np.bool_)
    for at, as_of in enumerate(as_ofs.tolist()):
        reach = read_reachability(
            profiles, customer_ids=history.names, flag_names=names, as_of_us=as_of
        )
        pressure = count_contacts(history.contacts, n_channels=len(config.channels), as_of_us=as_of)
        for code, channel in enumerate(config.channels.values()):
            held = reach.flags[:, [names.index(flag) for flag in channel.requires]].all(axis=1)
            is_open[:, at, code] = held & ~reach.do_not_contact & ~pressure.unsubscribed[:, code]
    return is_open
