"""What arrives or happens at or after the as-of leaves the matrix and the stages untouched."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from feature_oracle import Tables
from feature_tables import AS_OFS, SPEC, history_of, microseconds, random_tables

from features.matrix import build_matrix
from features.stage import Stage
from features.stage_state import stage_states

AS_OF = AS_OFS[1]
STAGES = (
    Stage("seen", "Seen", ("view",), ("view", "login"), ("purchase",), 20.0),
    Stage("buyer", "Buyer", ("purchase", "reorder"), ("purchase",), ("purchase",), 60.0),
)
TIMES = {"events": "occurred_at", "contacts": "sent_at", "profiles": "changed_at"}


def output(tables: Tables) -> tuple[object, ...]:
    history = history_of(tables)
    as_ofs = microseconds([AS_OF])
    matrix = build_matrix(history, spec=SPEC, as_ofs=as_ofs)
    states = stage_states(history, STAGES, spec=SPEC, as_ofs=as_ofs)
    return (
        matrix.values.tobytes(),
        list(matrix.customer_id),
        matrix.names,
        [history.names[int(row)].as_py() for row in states.customer],
        states.stage.tobytes(),
        states.silence_days.tobytes(),
        states.dormant.tobytes(),
    )


def hidden(table: pd.DataFrame, time: str) -> pd.Series:
    return (table[time] >= AS_OF) | (table["arrived_at"] >= AS_OF)


def delete(table: pd.DataFrame, time: str, rng: np.random.Generator) -> pd.DataFrame:
    return table[~hidden(table, time)]


def scramble(table: pd.DataFrame, time: str, rng: np.random.Generator) -> pd.DataFrame:
    """Exchange every column but the customers of hidden rows, each on its own."""
    rows = hidden(table, time).to_numpy()
    scrambled = table.copy()
    later = scrambled.loc[rows].copy()
    for name in table.columns:
        if name not in (time, "arrived_at"):
            later[name] = later[name].to_numpy()[rng.permutation(len(later))]
    # A row stays hidden: whichever of its times hides it moves further into the future.
    for name in (time, "arrived_at"):
        moves = pd.to_timedelta(rng.integers(0, 5000, len(later)), unit="h")
        later[name] = later[name].where(later[name] < AS_OF, later[name] + moves)
    return pd.concat([later, scrambled.loc[~rows]])


def add(table: pd.DataFrame, time: str, rng: np.random.Generator) -> pd.DataFrame:
    """Repeat every row as one that occurs in the past but arrives at the as-of or later."""
    late = table.copy()
    if "amount" in table.columns:
        late["amount"] = late["amount"] * -1000.0
    late["arrived_at"] = AS_OF + pd.to_timedelta(rng.integers(0, 50, len(late)), unit="h")
    future = table.copy()
    future[time] = AS_OF + pd.to_timedelta(rng.integers(0, 50, len(late)), unit="h")
    newcomers = table.assign(customer_id="newcomer", arrived_at=AS_OF)
    return pd.concat([late, table, future, newcomers])


@pytest.mark.parametrize("change", [delete, scramble, add])
@pytest.mark.parametrize("seed", range(4))
def test_the_future_leaves_every_byte_alone(
    change: Callable[[pd.DataFrame, str, np.random.Generator], pd.DataFrame], seed: int
) -> None:
    tables = random_tables(seed + 20)
    rng = np.random.default_rng(seed)
    hidden_rows = sum(hidden(getattr(tables, name), time).sum() for name, time in TIMES.items())
    assert hidden_rows > 20

    changed = Tables(
        **{name: change(getattr(tables, name), time, rng) for name, time in TIMES.items()}
    )

    assert output(changed) == output(tables)


def test_later_steps_of_a_known_contact_do_not_count_yet() -> None:
    tables = random_tables(31)
    later = tables.contacts.copy()
    for name in ("delivered_at", "opened_at", "clicked_at", "unsubscribed_at"):
        later[name] = later[name].where(later[name] < AS_OF, AS_OF)

    changed = Tables(tables.events, later, tables.profiles)

    assert output(changed) == output(tables)


def test_the_check_bites() -> None:
    tables = random_tables(32)
    events = tables.events.copy()
    visible = ~hidden(events, "occurred_at") & (events["event_type"] == "view")
    events.loc[events.index[visible][0], "occurred_at"] -= pd.Timedelta(seconds=1)

    assert output(Tables(events, tables.contacts, tables.profiles)) != output(tables)
