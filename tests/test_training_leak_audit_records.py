"""Attributes of today that know the outcome are found; lasting traits and dated ones are not."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from feature_tables import AS_OFS, SPEC, START, history_of, microseconds, random_tables
from scipy.stats import norm

from features.history import History
from features.kernels.feature import DAY_US
from features.manifest import block_columns
from features.matrix import build_matrix
from models.forest import ForestSettings
from training.leak_audit import AuditCutoffs, AuditRows, Check
from training.leak_audit_attributes import AttributeColumns, check_attributes
from training.leak_audit_records import RecordVersions, check_versions, count_versions, sum_versions

CUTOFFS_US = microseconds(AS_OFS)
SETTINGS = ForestSettings(
    learning_rate=0.1, min_data_in_leaf=20, max_rounds=30, early_stopping_rounds=30, threads=1
)
N_CUTOFFS = 5
CUTOFFS = AuditCutoffs(
    as_ofs=np.arange(1, N_CUTOFFS + 1, dtype=np.int64) * 28 * DAY_US,
    training=np.arange(N_CUTOFFS) < N_CUTOFFS - 2,
    reach_us=32 * DAY_US,
)
UNDATED = RecordVersions(
    customers=1000,
    records=1000,
    dated_us=np.empty(0, dtype=np.int64),
    changed=np.zeros(1, dtype=np.int64),
    later=np.zeros(1, dtype=np.int64),
    misread=np.zeros(1, dtype=np.int64),
)


def counted(history: History, *, found: Any = None) -> RecordVersions:
    matrix = build_matrix(history, spec=SPEC, as_ofs=CUTOFFS_US)
    codes = matrix.values[:, block_columns(SPEC)["static"]]
    codes = np.where(np.isnan(codes), -1.0, codes).astype(np.int32)
    return count_versions(
        history,
        as_ofs=CUTOFFS_US,
        rows=(matrix.customer.astype(np.int64), matrix.as_of),
        found=codes if found is None else found(codes),
    )


def test_the_matrix_holds_the_attributes_of_the_time() -> None:
    history = history_of(random_tables(2, customers=60))
    versions = counted(history)
    check = check_versions(versions, SPEC.attributes)
    assert check.verdict == "passed"
    assert int(versions.misread.sum()) == 0
    # Versions do change afterwards, or the test would prove nothing.
    assert int(versions.later.min()) > 20
    assert int(versions.changed.min()) > 10
    assert versions.dated_since_us is not None


def test_todays_attributes_in_the_matrix_are_found() -> None:
    history = history_of(random_tables(2, customers=60))
    last = {
        int(customer): history.profiles.attribute[end - 1]
        for customer, end in enumerate(history.profiles.offsets[1:])
        if end > history.profiles.offsets[customer]
    }
    matrix = build_matrix(history, spec=SPEC, as_ofs=CUTOFFS_US)

    def todays(codes: Any) -> Any:
        return np.array(
            [
                last.get(int(customer), row)
                for customer, row in zip(matrix.customer, codes, strict=True)
            ]
        )

    check = check_versions(counted(history, found=todays), SPEC.attributes)
    assert check.verdict == "failed"
    assert set(check.named) == {"city", "plan"}
    assert check.fix is not None


@pytest.mark.parametrize("default", ["signup", "1970", "before the first event"])
def test_records_without_a_time_of_their_own_hold_current_values(default: str) -> None:
    tables = random_tables(4, customers=60)
    profiles = tables.profiles.drop_duplicates("customer_id").copy()
    profiles["signup_at"] = START
    when = {
        "signup": profiles["signup_at"],
        "1970": pd.Timestamp("1970-01-01", tz="UTC"),
        "before the first event": START - pd.Timedelta(days=90),
    }[default]
    profiles["changed_at"] = profiles["arrived_at"] = when
    versions = counted(history_of(replace(tables, profiles=profiles)))
    assert versions.records > 40
    assert versions.dated_since_us is None
    assert int(versions.later.sum()) == 0


def test_a_lone_version_with_a_time_proves_no_history() -> None:
    """A record with the time of its last update may have been overwritten."""
    tables = random_tables(4, customers=60)
    late = tables.profiles.sort_values("changed_at").groupby("customer_id").tail(1)
    versions = counted(history_of(replace(tables, profiles=late)))
    assert versions.records > 40
    assert versions.dated_since_us is None


def test_samples_add_up() -> None:
    parts = [counted(history_of(random_tables(seed))) for seed in (1, 2)]
    total = sum_versions(parts)
    assert total.customers == sum(part.customers for part in parts)
    assert len(total.dated_us) == sum(len(part.dated_us) for part in parts)
    assert list(total.later) == list(parts[0].later + parts[1].later)


def panel(attribute: str, *, customers: int = 1500, seed: int = 0) -> AuditRows:
    """Customers with a lasting propensity, a noisy view of it, and one attribute."""
    rng = np.random.default_rng(seed)
    n = customers * N_CUTOFFS
    customer = np.repeat(np.arange(customers), N_CUTOFFS)
    cutoff = np.tile(np.arange(N_CUTOFFS), customers)
    trait = rng.integers(0, 6, customers)[customer]
    propensity = rng.normal(size=customers)[customer] + 0.3 * (trait == 2)
    labels = rng.random(n) < norm.cdf(propensity - 0.5)
    final = labels.reshape(customers, N_CUTOFFS)[:, -2:].sum(axis=1)[customer]
    values = {
        "trait": trait.astype(float),
        "status": np.where(final > 0, 1.0, 0.0),
        "noisy status": np.where(rng.random(customers)[customer] < 0.3, 2.0, final > 0),
        "tier": np.minimum(labels.reshape(customers, -1).sum(axis=1)[customer], 4.0),
        "unknown": np.full(n, np.nan),
    }[attribute]
    seen = propensity + 0.5 * rng.normal(size=n)
    columns = np.stack([seen, rng.normal(size=n), values], axis=1)
    return AuditRows(
        columns.astype(np.float32),
        labels.astype(np.int8),
        cutoff.astype(np.int16),
        customer.astype(np.uint64),
    )


def checked(attribute: str, *, versions: RecordVersions = UNDATED, **changes: Any) -> Check:
    return check_attributes(
        panel(attribute, **changes),
        versions,
        subject="dormancy_risk",
        columns=AttributeColumns(("status",), (2,), ("seen", "noise", "attribute_status")),
        cutoffs=CUTOFFS,
        settings=SETTINGS,
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_lasting_trait_may_stay(seed: int) -> None:
    check = checked("trait", seed=seed)
    assert check.verdict == "passed", check.meaning
    assert "no history" in check.meaning


@pytest.mark.parametrize("attribute", ["status", "noisy status", "tier"])
def test_a_status_written_with_knowledge_of_the_outcome_fails(attribute: str) -> None:
    check = checked(attribute)
    assert check.verdict == "failed", check.meaning
    assert check.named == ("status",)
    assert check.fix is not None and "changed_at" in check.fix


def test_an_attribute_nobody_has_passes() -> None:
    check = checked("unknown")
    assert check.verdict == "passed"
    assert check.figures["given_past.status"] == 0.5


def test_dated_records_are_trusted() -> None:
    early = np.sort(np.random.default_rng(0).integers(0, 300 * DAY_US, 400))
    dated = replace(UNDATED, dated_us=early.astype(np.int64), changed=np.array([30]))
    check = checked("status", versions=dated)
    assert check.verdict == "passed"
    assert "have a history" in check.meaning


def test_an_attribute_that_never_changes_in_dated_records_is_looked_at() -> None:
    """Versions of consent flags do not vouch for a status joined to all of them today."""
    early = np.sort(np.random.default_rng(0).integers(0, 300 * DAY_US, 400))
    dated = replace(UNDATED, dated_us=early.astype(np.int64))
    assert checked("status", versions=dated).verdict == "failed"
    assert checked("trait", versions=dated).verdict == "passed"


def test_records_dated_only_lately_are_not_trusted_for_the_time_before() -> None:
    """Snapshots ingested every night since last month say nothing about last year."""
    late = np.full(400, int(CUTOFFS.as_ofs[-1]) + DAY_US)
    dated = replace(UNDATED, dated_us=late, changed=np.array([30]))
    assert checked("status", versions=dated).verdict == "failed"


def test_a_few_odd_dates_do_not_vouch_for_a_source() -> None:
    odd = replace(UNDATED, dated_us=np.full(5, DAY_US))
    assert odd.dated_since_us is None
    some = np.concatenate([np.full(2, DAY_US), np.full(400, 900 * DAY_US)])
    assert replace(UNDATED, dated_us=some).dated_since_us == 900 * DAY_US


def test_without_attributes_or_records_nothing_is_checked() -> None:
    nobody = replace(UNDATED, records=0)
    assert checked("status", versions=nobody).verdict == "not checked"
    assert check_versions(nobody, ("city",)).verdict == "not checked"
    assert check_versions(UNDATED, ()).verdict == "not checked"


def test_few_labels_are_not_judged() -> None:
    assert checked("status", customers=40).verdict == "not checked"
