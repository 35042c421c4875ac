"""From a warehouse with logged assignments to rows of effects: right, counted, blind to later."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from night_home import (
    CHANNELS,
    DAY_US,
    N_BUCKETS,
    contact_rows,
    fit_champions,
    make_night_home,
    table_of,
)
from small_shop import shop_events

from features.bucket import bucket_of
from features.history_sample import customer_hash
from features.local_day import local_midnight_us
from features.warehouse import Warehouse
from models.return_probability import ReturnModels
from pipelines.config import Config
from pipelines.effect_rows import action_prices, collect_effect_rows
from pipelines.nightly_inputs import build_scorer, load_champions, night_policy
from scoring.decisions import PARTITION, TABLE_NAME
from scoring.offered import expected_order_values
from training.assignment_counts import AssignmentCounts
from training.assignment_rows import EffectRows
from training.effect_sample import EffectSample

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = date(2025, 9, 20)
NIGHT_US = local_midnight_us(NIGHT, BERLIN)
UNTIL_US = local_midnight_us(date(2025, 11, 26), BERLIN)
ARMS = ("contact", "contact", "explore", "ghost", "holdout")


def write_list(config: Config, day: date, names: list[str]) -> None:
    """Decisions of a night that listed these customers, with arms in turn."""
    arms = [ARMS[place % len(ARMS)] for place in range(len(names))]
    rows = [
        {
            "as_of": day.isoformat(),
            "customer_id": name,
            "bucket": bucket_of(name, n_buckets=N_BUCKETS),
            "arm": arm,
            "channel": ("push", "email", "phone")[place % 3],
            "offer": "coupon" if place % 2 else "none",
            "list_id": f"{day}-x",
            "rank": place + 1,
            "action_propensity": None if arm == "holdout" else 0.4,
        }
        for place, (name, arm) in enumerate(zip(names, arms, strict=True))
    ]
    types = {"bucket": pa.int32(), "rank": pa.int32(), "action_propensity": pa.float64()}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in rows[0]])
    _warehouse(config).replace_partition(
        TABLE_NAME, pa.Table.from_pylist(rows, schema=schema), column=PARTITION, value=str(day)
    )


def collect(config: Config, *, until_us: int = UNTIL_US, known_us: int | None = None) -> EffectRows:
    bundles = fit_champions(config)
    return collect_effect_rows(
        config,
        models=ReturnModels(bundles["dormancy_risk"], bundles["natural_return"]),
        until_us=(until_us, until_us if known_us is None else known_us),
    )


def customers(config: Config) -> list[str]:
    ids = _warehouse(config).dataset("events").to_table(columns=["customer_id"])
    return sorted(set(ids["customer_id"].to_pylist()))


def _warehouse(config: Config) -> Warehouse:
    return Warehouse.open(config.warehouse_path, n_buckets=N_BUCKETS)


def test_rows_are_scored_as_the_night_scored_them(shop: Config, champions: dict[str, Any]) -> None:
    names = customers(shop)
    write_list(shop, NIGHT, names)
    rows = collect(shop)
    policy = night_policy(shop, NIGHT)
    scorer = build_scorer(shop, _warehouse(shop), policy, load_champions(shop))
    by_name: dict[int, tuple[float, float, float]] = {}
    for bucket in range(N_BUCKETS):
        scored = scorer.score(bucket)
        odds = np.log(scored.p_natural / (1 - scored.p_natural))
        by_name |= dict(
            zip(
                [customer_hash(name) for name in scored.customer_id.to_pylist()],
                zip(odds, scored.mean_order, scored.orders, strict=True),
                strict=True,
            )
        )
    sample = rows.sample
    assert len(sample) > 100
    wanted = np.array([by_name[int(one)][0] for one in sample.cluster])
    np.testing.assert_allclose(sample.log_odds0, wanted, rtol=1e-12)
    assert (sample.as_of_us == NIGHT_US).all()
    assert (sample.propensity == 0.4).all()
    assert sample.actions == action_prices(shop).actions
    assert sample.treated.mean() == pytest.approx(0.75, abs=0.05)
    # The night drew order values towards all scored customers, a sample draws them towards
    # its own: the more orders of their own, the less it matters.
    assert expected_order_values(scored, policy).mean() == pytest.approx(
        sample.order_value.mean(), rel=0.1
    )


def test_outcomes_are_those_of_the_events(shop: Config) -> None:
    names = customers(shop)
    write_list(shop, NIGHT, names)
    sample = collect(shop).sample
    frame = _warehouse(shop).dataset("events").to_table().to_pandas()
    begin = pd.Timestamp(NIGHT_US + 2 * DAY_US, unit="us", tz="UTC")
    inside = frame["occurred_at"].between(begin, begin + timedelta(days=30), inclusive="left")
    bought = frame[inside & (frame["event_type"] == "purchase")].groupby("customer_id")["amount"]
    spent = {customer_hash(name): amount for name, amount in bought.sum().items()}
    first = {customer_hash(name): amount for name, amount in bought.first().items()}
    hashes = [int(one) for one in sample.cluster]
    assert sample.returned.tolist() == [int(one in spent) for one in hashes]
    amount = np.array([spent.get(one, 0.0) for one in hashes])
    prices = action_prices(shop)
    treated = sample.treated
    given = np.where(treated, np.append(prices.discount, 0)[sample.action], 0.0)
    cost = np.where(treated, np.append(prices.contact_cost, 0)[sample.action], 0.0)
    reduced = given * np.array([first.get(one, 0.0) for one in hashes])
    np.testing.assert_allclose(sample.profit, 0.4 * amount - reduced - cost, atol=1e-9)


def test_every_loss_is_counted(home: Config, tmp_path: Path) -> None:
    names = customers(home)
    config = _copy(home, tmp_path)
    write_list(config, NIGHT, names[:50])
    write_list(config, NIGHT + timedelta(days=10), names[:50])
    write_list(config, date(2025, 11, 10), names[50:60])
    day = NIGHT_US + 3 * DAY_US + 1
    base = {"assigned_at": day, "arrived_at": day, "experiment": "spring", "propensity": 0.5}
    rows: list[dict[str, Any]] = [
        {"customer_id": names[100], "channel": "push"},
        {"customer_id": names[101]},
        {"customer_id": names[102], "channel": "fax"},
        {"customer_id": names[103], "channel": "push", "propensity": None},
        {"customer_id": names[104], "channel": "push", "experiment": "no control"},
        {"customer_id": names[105], "channel": "push", "arrived_at": UNTIL_US},
        {"customer_id": "nobody", "channel": "push"},
    ]
    rows = [{"assignment_id": f"a{n}", **base, **row} for n, row in enumerate(rows)]
    _warehouse(config).append("assignments", table_of("assignments", rows))
    found = collect(config)
    counts = found.counts
    listed = 40 + 40 + 8
    assert counts.assignments == listed + len(rows)
    assert counts.arrived_later == counts.unknown_action == counts.without_control == 1
    assert counts.not_matured == 8
    assert counts.matures_on == date(2025, 12, 11)
    # Who had no event yet at that night, and "nobody".
    unborn = 40 - _born(config, names[:50], NIGHT_US)
    later = _born(config, names[:50], NIGHT_US + 10 * DAY_US) - (40 - unborn)
    assert counts.without_events == 2 * unborn - later + 1 + (
        3 - _born(config, names[100:102] + names[103:104], NIGHT_US + 3 * DAY_US, every=1)
    )
    assert counts.overlapping == 40 - unborn
    assert counts.propensity_unknown == len(found.unknown)
    assert counts.used == len(found.sample)
    assert counts.assignments == sum(
        getattr(counts, name)
        for name in (
            "arrived_later",
            "unknown_action",
            "without_control",
            "not_matured",
            "never_sent",
            "without_events",
            "without_stage",
            "overlapping",
            "propensity_unknown",
            "used",
        )
    )
    assert len(counts.notes()) >= 8
    tried = {found.sample.actions[code] for code in found.sample.action if code >= 0}
    assert set(found.untried) == set(found.sample.actions) - tried
    assert ("phone/none" in found.untried) == ("phone/none" in found.notes()[-1])
    assert all(name not in " ".join(counts.notes()) for name in names)


def _born(config: Config, names: list[str], night_us: int, *, every: int = 0) -> int:
    """How many of the customers had an event before the night; the holdout is left out."""
    frame = _warehouse(config).dataset("events").to_table().to_pandas()
    first = frame.groupby("customer_id")["occurred_at"].min()
    night = pd.Timestamp(night_us, unit="us", tz="UTC")
    wanted = [name for place, name in enumerate(names) if every or place % 5 != 4]
    return int((first.reindex(wanted) < night).sum())


def _copy(home: Config, tmp_path: Path) -> Config:
    from night_home import copy_home

    return copy_home(home, tmp_path / "home")


def test_nothing_matured_names_the_date(shop: Config) -> None:
    write_list(shop, NIGHT, customers(shop)[:30])
    rows = collect(shop, until_us=NIGHT_US + 20 * DAY_US)
    assert len(rows.sample) == 0
    assert rows.sample.x.shape == (0, len(rows.sample.feature_names))
    assert rows.counts.matures_on == date(2025, 10, 21)
    # The window ends as that day does, so a day later is enough.
    assert len(collect(shop, until_us=local_midnight_us(date(2025, 10, 22), BERLIN)).sample) > 0


def test_without_any_assignment_there_are_no_rows(shop: Config) -> None:
    rows = collect(shop)
    assert rows.counts == AssignmentCounts()
    assert len(rows.sample) == len(rows.unknown) == 0


@pytest.fixture(scope="module")
def tables() -> tuple[pa.Table, list[dict[str, Any]]]:
    return shop_events(150), contact_rows(150)


def _home(tmp_path: Path, name: str, events: pa.Table, contacts: list[dict[str, Any]]) -> Config:
    config = make_night_home(tmp_path / name, channels=CHANNELS, events=events, contacts=contacts)
    write_list(config, NIGHT, [f"c{number:05d}" for number in range(150)])
    return config


def _with(config: Config, like: Config) -> EffectRows:
    """The rows of a home by the models of another one."""
    bundles = fit_champions(like)
    models = ReturnModels(bundles["dormancy_risk"], bundles["natural_return"])
    return collect_effect_rows(config, models=models, until_us=(UNTIL_US, UNTIL_US))


def _events(frame: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    columns = []
    for field in schema:
        column = frame[field.name]
        if pa.types.is_timestamp(field.type):
            columns.append(pa.array(column.dt.tz_convert(None).to_numpy()).cast(field.type))
        else:
            columns.append(pa.array(column.tolist(), field.type, from_pandas=True))
    return pa.Table.from_arrays(columns, schema=schema)


def _known(sample: EffectSample) -> list[bytes]:
    """What must follow from what was known at the assignment."""
    names = ("x", "log_odds0", "order_value", "action", "propensity", "cluster", "as_of_us")
    return [getattr(sample, name).tobytes() for name in names]


def test_nothing_after_the_assignment_reaches_its_features(
    tmp_path: Path, tables: tuple[pa.Table, list[dict[str, Any]]]
) -> None:
    events, contacts = tables
    rng = np.random.default_rng(4)
    before = _home(tmp_path, "before", events, contacts)
    frame = events.to_pandas()
    night = pd.Timestamp(NIGHT_US, unit="us", tz="UTC")
    later = frame["occurred_at"] >= night
    assert later.sum() > 100
    changed = frame[later].copy()
    for name in ("event_type", "amount"):
        changed[name] = changed[name].to_numpy()[rng.permutation(len(changed))]
    moved = pd.to_timedelta(rng.integers(0, 60, len(changed)), unit="D")
    changed["occurred_at"] += moved
    changed["arrived_at"] += moved
    late = frame[~later].sample(30, random_state=1)
    late = late.assign(arrived_at=night, amount=9e5)
    whole = _events(pd.concat([frame[~later], changed, late]), events.schema)
    others = [row for row in contacts if row["sent_at"] < NIGHT_US] + [
        {
            "contact_id": f"z{number}",
            "customer_id": f"c{number:05d}",
            "channel": "push",
            "sent_at": NIGHT_US - DAY_US * (number % 2),
            "arrived_at": NIGHT_US,
            "opened_at": NIGHT_US,
        }
        for number in range(100)
    ]
    after = _home(tmp_path, "after", whole, others)
    one, two = _with(before, before).sample, _with(after, before).sample
    assert len(one) > 80
    assert _known(one) == _known(two)
    assert one.profit.tobytes() != two.profit.tobytes()


def test_nothing_that_arrives_after_the_training_as_of_reaches_a_row(
    tmp_path: Path, tables: tuple[pa.Table, list[dict[str, Any]]]
) -> None:
    events, contacts = tables
    before = _home(tmp_path, "before", events, contacts)
    after = _home(tmp_path, "after", events, contacts)
    warehouse = _warehouse(after)
    sent = NIGHT_US + DAY_US // 2
    warehouse.append(
        "contacts",
        table_of(
            "contacts",
            [
                {
                    "contact_id": f"z{number}",
                    "customer_id": f"c{number:05d}",
                    "sent_at": sent,
                    "arrived_at": UNTIL_US,
                    "channel": "push",
                    "list_row_id": f"{NIGHT}-x/{number + 1}",
                    "unsubscribed_at": sent + DAY_US,
                }
                for number in range(150)
            ],
        ),
    )
    late = events.slice(0, 200).to_pandas()
    late["occurred_at"] = pd.Timestamp(NIGHT_US + 9 * DAY_US, unit="us", tz="UTC")
    late["arrived_at"] = pd.Timestamp(UNTIL_US, unit="us", tz="UTC")
    late["event_type"], late["amount"] = "purchase", 9e5
    warehouse.append("events", _events(late, events.schema))
    warehouse.append(
        "assignments",
        table_of(
            "assignments",
            [
                {
                    "assignment_id": f"a{number}",
                    "customer_id": f"c{number:05d}",
                    "assigned_at": NIGHT_US - 5 * DAY_US,
                    "arrived_at": UNTIL_US,
                    "experiment": "late",
                    "propensity": 0.5,
                }
                for number in range(150)
            ],
        ),
    )
    one, two = _with(before, before), _with(after, before)
    assert two.counts.arrived_later == 150
    for name in ("returned", "profit", "left"):
        assert getattr(one.sample, name).tobytes() == getattr(two.sample, name).tobytes()
    assert _known(one.sample) == _known(two.sample)
    assert one.counts.without_contact_record == two.counts.without_contact_record


def test_contact_records_tell_who_left_and_which_control_was_contacted(
    tmp_path: Path, tables: tuple[pa.Table, list[dict[str, Any]]]
) -> None:
    config = _home(tmp_path, "home", tables[0], tables[1][:1])
    sent = NIGHT_US + DAY_US // 2
    rows = [
        {
            "contact_id": f"z{number}",
            "customer_id": f"c{number:05d}",
            "sent_at": sent,
            "arrived_at": sent,
            "channel": "push",
            "list_row_id": f"{NIGHT}-x/{number + 1}",
            "unsubscribed_at": sent + DAY_US if number % 2 else None,
        }
        for number in range(150)
        if number % 10 != 0
    ]
    _warehouse(config).append("contacts", table_of("contacts", rows))
    rows_found = _with(config, config)
    sample, counts = rows_found.sample, rows_found.counts
    number = {customer_hash(f"c{n:05d}"): n for n in range(150)}
    numbers = np.array([number[int(one)] for one in sample.cluster])
    recorded = numbers % 10 != 0
    assert counts.without_contact_record == int((sample.treated & ~recorded).sum())
    assert counts.contaminated == int((~sample.treated & recorded).sum()) > 0
    assert sample.left.tolist() == (recorded & (numbers % 2 == 1)).astype(int).tolist()


def test_a_list_that_was_never_sent_is_left_out(
    tmp_path: Path, tables: tuple[pa.Table, list[dict[str, Any]]]
) -> None:
    config = _home(tmp_path, "home", tables[0], tables[1][:1])
    names = [f"c{number:05d}" for number in range(150)]
    # Made anew for a day before the real list, which it must not displace.
    write_list(config, NIGHT - timedelta(days=5), names)
    sent = NIGHT_US + DAY_US // 2
    row = {"contact_id": "z", "customer_id": names[0], "sent_at": sent, "arrived_at": sent}
    row |= {"channel": "push", "list_row_id": f"{NIGHT}-x/1"}
    assert _with(config, config).counts.overlapping > 50
    _warehouse(config).append("contacts", table_of("contacts", [row]))
    found = _with(config, config)
    assert found.counts.never_sent == 120
    assert found.counts.overlapping == 0
    assert set(found.sample.as_of_us.tolist()) == {NIGHT_US}
    assert any("never sent" in note for note in found.counts.notes())


def test_an_experiment_of_noon_knows_what_midnight_knew(shop: Config) -> None:
    names = customers(shop)[:40]
    noon = NIGHT_US + DAY_US // 2
    base = {"assigned_at": noon, "arrived_at": noon, "experiment": "noon", "propensity": 0.5}
    rows = [
        {**base, "assignment_id": name, "customer_id": name, "channel": "push" if n % 2 else None}
        for n, name in enumerate(names)
    ]
    write_list(shop, NIGHT, names)
    listed = collect(shop).sample
    _warehouse(shop).delete_rows(TABLE_NAME, "true")
    _warehouse(shop).append("assignments", table_of("assignments", rows))
    at_noon = collect(shop).sample
    # The list left the holdout out.
    both = np.isin(at_noon.cluster, listed.cluster)
    assert both.sum() == len(listed) > 20
    assert at_noon.take(both).x.tobytes() == listed.x.tobytes()
    assert at_noon.take(both).log_odds0.tobytes() == listed.log_odds0.tobytes()
    assert (at_noon.as_of_us == noon).all()


def test_assignments_are_kept_apart_as_a_slow_walk_would(shop: Config) -> None:
    """One at a time, each against the customer's last kept one."""
    rng = np.random.default_rng(7)
    names = customers(shop)[:12]
    days = rng.integers(0, 90, 200)
    rows: list[dict[str, Any]] = [
        {
            "assignment_id": f"a{n:03d}",
            "customer_id": str(rng.choice(names)),
            "assigned_at": NIGHT_US - (40 - int(day)) * DAY_US,
            "arrived_at": NIGHT_US,
            "experiment": "spring",
            "channel": None if n % 2 else "push",
            "propensity": 0.5,
        }
        for n, day in enumerate(days)
    ]
    _warehouse(shop).append("assignments", table_of("assignments", rows))
    sample = collect(shop).sample
    frame = _warehouse(shop).dataset("events").to_table().to_pandas()
    born = frame.groupby("customer_id")["arrived_at"].min()
    expected = set()
    for name in names:
        until = 0
        for at in sorted(row["assigned_at"] for row in rows if row["customer_id"] == name):
            known = born[name] < pd.Timestamp(at, unit="us", tz="UTC")
            over = at + 32 * DAY_US <= UNTIL_US
            # Nobody is on the stage before the first purchase.
            if known and over and at >= until and _has_bought(frame, name, at):
                expected.add((customer_hash(name), at))
                until = at + 32 * DAY_US
    assert len(expected) > 10
    assert set(zip(sample.cluster.tolist(), sample.as_of_us.tolist(), strict=True)) == expected


def _has_bought(frame: pd.DataFrame, name: str, at: int) -> bool:
    mine = frame[(frame["customer_id"] == name) & (frame["event_type"] == "purchase")]
    return bool((mine["occurred_at"] < pd.Timestamp(at, unit="us", tz="UTC")).any())
