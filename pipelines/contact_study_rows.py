"""Reading what a study of past contacts compares out of the warehouse."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
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
from pipelines.engine import iterate_buckets
from scoring.eligibility import required_flags
from scoring.pressure import count_contacts
from scoring.reachability import PROFILE_COLUMNS, read_reachability
from training.contact_rows import (
    OTHER_CONTACT,
    PRE_DAYS,
    ContactRows,
    SentContacts,
    StudySetting,
    collect_contact_rows,
    concat_contact_rows,
    sample_uncontacted,
)
from training.folds import Folds, last_midnight
from training.labels import DAY_US

Int64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

STEP_DAYS = 7
"""Days between cutoffs: effects of contacts need many contacts, and each cutoff uses those of
its decision window only."""

MOST_CUTOFFS = 26
CUSTOMERS = 20_000
"""Most customers that are read, by hash."""

UNCONTACTED_ROWS = 100_000
"""Most rows without contact that are compared."""

_CONTACT_COLUMNS = ("customer_id", "contact_id", "channel", "offer", "arrived_at", "sent_at")
_NO_OFFER = "none"


def plan_study(
    config: Config, reader: HistoryReader, *, folds: Folds, first_us: int
) -> StudySetting:
    """Cutoffs and windows: weekly midnights back from the test cutoff, outcomes all known.

    The decision window is the gap of the label window, or a day where the gap is shorter: who
    is contacted in it has not yet entered the outcome window.

    Parameters
    ----------
    config : stages, channels and offers.
    reader : has the feature specification.
    folds : the training run's cutoffs.
    first_us : first occurred_at known to the run.
    """
    timezone = ZoneInfo(config.business.timezone)
    test = folds.of("test")[0].day
    reach = folds.gap_us + folds.horizon_us

    def midnights(days: int, step: int, since: int = 0) -> list[int]:
        return [
            local_midnight_us(test - timedelta(days=back), timezone)
            for back in range(since, days, step)
        ]

    cutoffs = [
        at for at in midnights(MOST_CUTOFFS * STEP_DAYS, STEP_DAYS) if at - reach >= first_us
    ]
    known = (test - last_midnight(first_us, timezone)).days
    weekly = midnights(MOST_CUTOFFS * STEP_DAYS + PRE_DAYS, STEP_DAYS)
    monthly = midnights(known, PRE_DAYS)
    decision_us = max(folds.gap_us, DAY_US)
    return StudySetting(
        spec=reader.spec,
        stages=config.stages,
        actions=tuple(
            f"{channel}/{offer}" for channel in config.channels for offer in config.offers
        ),
        as_ofs=np.array(sorted(cutoffs), dtype=np.int64),
        pre_as_ofs=np.array(
            sorted(at for at in {*weekly, *monthly} if at > first_us), dtype=np.int64
        ),
        decision_us=decision_us,
        gap_us=decision_us,
        horizon_us=folds.horizon_us,
        known_before_us=folds.trained_until_us,
        at_risk=config.list.at_risk_probability is not None,
    )


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

    def of_bucket(bucket: int) -> ContactRows:
        history = reader.read(bucket)
        history = select_customers(history, lowest_hashes(customer_hashes(history), at_most))
        contacts = _columns(warehouse, inputs, "contacts", bucket, _CONTACT_COLUMNS)
        profiles = _columns(warehouse, inputs, "customers", bucket, PROFILE_COLUMNS)
        return collect_contact_rows(
            history,
            sent_contacts(config, contacts, history, known_before_us=setting.known_before_us),
            _open_channels(config, profiles, history, setting.as_ofs),
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
