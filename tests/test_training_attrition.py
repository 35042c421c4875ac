"""Unsubscribing: planted truth is found, nothing later is read, slopes must earn their place."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from small_shop import SPEC, START_US, events_table

from features.contract import TABLES
from features.errors import ArtifactError
from features.history import NO_TIME, History
from features.history_reader import history_from_tables
from features.history_sample import customer_hash
from features.matrix import build_matrix
from features.spec import FeatureSpec
from models.attrition import (
    SHARED_COLUMNS,
    attrition_from_json,
    configured_attrition,
    own_columns,
)
from models.effect_features import effect_features
from training.attrition import PSEUDO_CONTACTS, fit_attrition
from training.attrition_rows import AttritionRows, attrition_rows, concat_attrition
from training.labels import DAY_US

CHANNELS = ("sms", "mail")
CHANNEL_SPEC = replace(SPEC, channels=CHANNELS)
UNTIL_US = START_US + 300 * DAY_US


def planted(n: int, slopes: list[float], *, seed: int = 2) -> tuple[AttritionRows, np.ndarray]:
    """Contacts whose probability of ending in leaving is known."""
    rng = np.random.default_rng(seed)
    channel = rng.integers(0, 2, n).astype(np.int16)
    z = np.log1p(rng.poisson([2.0, 1.0, 0.5, 1.0], (n, 4)).astype(np.float64))
    log_odds = np.array([-3.0, -4.5])[channel] + (z - z.mean(axis=0)) @ np.array(slopes)
    probability = 1 / (1 + np.exp(-log_odds))
    sent = START_US + rng.integers(0, 250 * DAY_US, n)
    left = rng.random(n) < probability
    rows = AttritionRows(
        channel=channel,
        sent_us=sent,
        left_us=np.where(left, sent + DAY_US, NO_TIME),
        z=z,
        cluster=rng.integers(0, n // 3, n).astype(np.uint64),
    )
    return rows, probability


def test_planted_slopes_and_shares_are_found() -> None:
    slopes = [0.8, -0.6, -0.4, 0.5]
    rows, probability = planted(60_000, slopes)
    fit = fit_attrition(rows, channels=CHANNELS, shares=[0.05, 0.01])
    assert fit.report.rung == "fatigue"
    assert fit.report.difference is not None and fit.report.difference[2] < 0
    np.testing.assert_allclose(fit.model.slopes / fit.model.scales, slopes, atol=0.15)
    x = np.hstack([rows.z[:, :3], rows.z[:, 3:], rows.z[:, 3:]])
    names = (*SHARED_COLUMNS, *own_columns(CHANNELS))
    found = fit.model.probability(x, names)[np.arange(len(rows)), rows.channel]
    assert np.abs(found - probability).mean() < 0.004
    assert np.corrcoef(found, probability)[0, 1] > 0.98


def test_slopes_that_forecast_nothing_do_not_serve() -> None:
    rows, _ = planted(20_000, [0.0, 0.0, 0.0, 0.0])
    fit = fit_attrition(rows, channels=CHANNELS, shares=[0.05, 0.01])
    assert fit.report.rung == fit.model.rung == "shares"
    assert fit.report.judged_left > 30 and fit.report.difference is not None
    assert not fit.model.slopes.any()
    x = np.zeros((2, 0))
    expected = [fit.report.shares[name] for name in CHANNELS]
    np.testing.assert_allclose(fit.model.probability(x, ()), [expected] * 2)
    assert expected == pytest.approx([0.047, 0.011], abs=0.006)


def test_few_contacts_stay_near_the_configured_share() -> None:
    rows, _ = planted(60, [0.0, 0.0, 0.0, 0.0])
    only_sms = rows.take(rows.channel == 0)
    fit = fit_attrition(only_sms, channels=CHANNELS, shares=[0.2, 0.03])
    sent, left = fit.report.contacts["sms"], fit.report.left["sms"]
    expected = (left + PSEUDO_CONTACTS * 0.2) / (sent + PSEUDO_CONTACTS)
    assert fit.report.shares == pytest.approx({"sms": expected, "mail": 0.03})
    assert fit.report.rung == "shares" and fit.report.difference is None


def test_without_contacts_the_configuration_speaks() -> None:
    none, _ = planted(10, [0.0] * 4)
    fit = fit_attrition(none.take(np.zeros(10, bool)), channels=CHANNELS, shares=[0.2, 0.0])
    assert fit.report.rung == fit.model.rung == "configured"
    found = fit.model.probability(np.zeros((3, 2)), ("a", "b"))
    np.testing.assert_allclose(found, [[0.2, 1e-6]] * 3)


def test_judged_models_know_no_outcome_of_after_the_border() -> None:
    rows, _ = planted(20_000, [0.8, -0.6, -0.4, 0.5])
    first = fit_attrition(rows, channels=CHANNELS, shares=[0.05, 0.01]).report
    border = int(np.quantile(rows.sent_us, 0.7, method="higher"))
    # What became known late of early contacts may change what serves, not what judged.
    early = rows.sent_us < border - 40 * DAY_US
    late = np.where(early & (rows.left_us == NO_TIME), border + DAY_US, rows.left_us)
    second = fit_attrition(
        replace(rows, left_us=late), channels=CHANNELS, shares=[0.05, 0.01]
    ).report
    assert first.difference == second.difference
    assert first.shares != second.shares


def test_a_model_survives_json() -> None:
    rows, _ = planted(20_000, [0.8, -0.6, -0.4, 0.5])
    model = fit_attrition(rows, channels=CHANNELS, shares=[0.05, 0.01]).model
    again = attrition_from_json(json.loads(json.dumps(model.to_json())))
    x, names = rows.z[:, [0, 1, 2, 3, 3]], (*SHARED_COLUMNS, *own_columns(CHANNELS))
    assert model.probability(x, names).tobytes() == again.probability(x, names).tobytes()
    assert again.to_json() == model.to_json()


@pytest.mark.parametrize(
    "change",
    [{"schema_version": 2}, {"slopes": [1.0]}, {"means": None}, {"intercepts": [0.0, np.nan]}],
)
def test_a_broken_document_is_refused(change: dict[str, Any]) -> None:
    document = configured_attrition(CHANNELS, [0.1, 0.1]).to_json()
    with pytest.raises(ArtifactError, match="unsubscribe model"):
        attrition_from_json({**document, **change})


def test_a_missing_column_is_named() -> None:
    rows, _ = planted(20_000, [0.8, -0.6, -0.4, 0.5])
    model = fit_attrition(rows, channels=CHANNELS, shares=[0.05, 0.01]).model
    with pytest.raises(ArtifactError, match="contacts_mail_sent_30d"):
        model.probability(np.zeros((1, 4)), (*SHARED_COLUMNS, "contacts_sms_sent_30d"))


def history_of(contacts: list[dict[str, Any]], spec: FeatureSpec = CHANNEL_SPEC) -> History:
    base = {"customer_id": "c", "channel": "sms"}
    whole = [{"contact_id": f"k{n}", **base, **row} for n, row in enumerate(contacts)]
    for row in whole:
        row.setdefault("arrived_at", row["sent_at"])
    events = events_table([(name, START_US, "purchase", 5.0) for name in ("a", "c", "d")])
    return history_from_tables(
        0,
        spec=spec,
        events=events,
        contacts=pa.Table.from_pylist(whole, schema=TABLES["contacts"].schema),
    )


def rows_of(contacts: list[dict[str, Any]], *, observed_days: float = 300) -> AttritionRows:
    observed = START_US + round(observed_days * DAY_US)
    return attrition_rows(
        history_of(contacts),
        spec=CHANNEL_SPEC,
        observed_until_us=observed,
        trained_until_us=UNTIL_US,
    )


def at(day: float) -> int:
    return START_US + round(day * DAY_US)


def test_who_left_within_thirty_days_of_which_contact() -> None:
    rows = rows_of(
        [
            {"sent_at": at(10)},
            {"sent_at": at(20), "channel": "mail", "unsubscribed_at": at(49.9)},
            {"sent_at": at(21), "channel": "mail", "unsubscribed_at": at(51.1)},
            {"sent_at": at(22), "channel": "fax"},
            {"sent_at": at(290)},
        ]
    )
    assert rows.sent_us.tolist() == [at(10), at(20), at(21)]
    assert rows.channel.tolist() == [0, 1, 1]
    assert (rows.left_us != NO_TIME).tolist() == [False, True, False]


def test_contacts_after_leaving_the_channel_are_left_out() -> None:
    rows = rows_of(
        [
            {"sent_at": at(10), "unsubscribed_at": at(11)},
            {"sent_at": at(20)},
            {"sent_at": at(20), "channel": "mail"},
        ]
    )
    assert rows.sent_us.tolist() == [at(10), at(20)]
    assert rows.channel.tolist() == [0, 1]


def test_versions_say_when_it_was_known_and_may_take_it_back() -> None:
    sent = {"contact_id": "k", "sent_at": at(10)}
    versions = [
        sent,
        {**sent, "unsubscribed_at": at(12), "arrived_at": at(40)},
        {**sent, "unsubscribed_at": at(12), "arrived_at": at(60)},
    ]
    assert rows_of([dict(row) for row in versions]).left_us.tolist() == [at(40)]
    corrected = [*versions, {**sent, "arrived_at": at(70)}]
    assert rows_of([dict(row) for row in corrected]).left_us.tolist() == [NO_TIME]
    late = [sent, {**sent, "unsubscribed_at": at(12), "arrived_at": UNTIL_US}]
    assert rows_of([dict(row) for row in late]).left_us.tolist() == [NO_TIME]


def some_contacts(rng: np.random.Generator, n: int) -> list[dict[str, Any]]:
    rows = []
    for number in range(n):
        sent = at(float(np.round(rng.uniform(1, 120))))
        opened = sent + int(rng.uniform(0, 5) * DAY_US) if rng.random() < 0.5 else None
        rows.append(
            {
                "contact_id": f"k{number}",
                "customer_id": str(rng.choice(["a", "c", "d"])),
                "channel": str(rng.choice(CHANNELS)),
                "sent_at": sent,
                "arrived_at": sent + int(rng.choice([0, 3]) * DAY_US),
                "opened_at": opened,
                "clicked_at": opened if rng.random() < 0.5 else None,
            }
        )
    return rows


def test_contacts_are_seen_as_scoring_sees_customers() -> None:
    history = history_of(some_contacts(np.random.default_rng(5), 150))
    rows = attrition_rows(
        history, spec=CHANNEL_SPEC, observed_until_us=UNTIL_US, trained_until_us=UNTIL_US
    )
    as_ofs = np.unique(rows.sent_us)
    matrix = build_matrix(history, spec=CHANNEL_SPEC, as_ofs=as_ofs)
    x, names = effect_features(matrix.values, CHANNEL_SPEC)
    own = own_columns(CHANNELS)
    scored = {
        (customer_hash(matrix.customer_id[row]), int(matrix.as_of[row])): x[row]
        for row in range(len(x))
    }
    assert len(rows) == 150
    for row in range(len(rows)):
        wanted = [names.index(name) for name in (*SHARED_COLUMNS, own[rows.channel[row]])]
        seen = scored[int(rows.cluster[row]), int(rows.sent_us[row])]
        assert rows.z[row].tolist() == seen[wanted].tolist()


def test_nothing_after_a_contact_reaches_what_was_known_before() -> None:
    rng = np.random.default_rng(9)
    contacts = some_contacts(rng, 80)
    border = at(60)
    early = [row for row in contacts if max(row["sent_at"], row["arrived_at"]) < border]
    scrambled = [
        {**row, "customer_id": "a", "channel": "mail", "opened_at": row["sent_at"]}
        for row in contacts
        if row["sent_at"] >= border
    ] + [
        {
            "contact_id": f"x{n}",
            "customer_id": "c",
            "channel": "sms",
            "sent_at": at(10),
            "arrived_at": border,
        }
        for n in range(20)
    ]

    def before(rows: list[dict[str, Any]]) -> list[bytes]:
        found = rows_of([dict(row) for row in rows])
        kept = {row["sent_at"] for row in early}
        mine = (found.sent_us < border) & np.isin(found.sent_us, list(kept))
        taken = found.take(mine & (found.sent_us != at(10)))
        assert len(taken) > 20
        return [taken.z.tobytes(), taken.channel.tobytes(), taken.cluster.tobytes()]

    assert before(early) == before(early + scrambled)


def test_rows_of_buckets_join() -> None:
    rows, _ = planted(40, [0.0] * 4)
    whole = concat_attrition([rows.take(np.arange(15)), rows.take(np.arange(15, 40))])
    assert whole.z.tobytes() == rows.z.tobytes()
    assert len(whole) == 40
