"""The log of a night: what was assigned to whom, and with what probability."""

import pyarrow as pa
import pyarrow.compute as pc
from test_scoring_night import POLICY, PROVENANCE, list_of, literal_customers

from scoring.decisions import SCHEMA, build_decisions
from scoring.night import decide_night

_COPIED = ("propensity", "uplift", "uplift_low", "uplift_high", "expected_gain", "contact_cost")


def decide() -> tuple[pa.Table, pa.Table]:
    """A night's list and its log."""
    scored = literal_customers()
    listed = list_of(scored)
    log = build_decisions(
        scored,
        decide_night(scored, POLICY),
        POLICY,
        listed=listed,
        list_id=listed["list_id"][0].as_py(),
        provenance=PROVENANCE,
    )
    return listed, log


def test_listed_rows_are_logged_as_they_are_on_the_list() -> None:
    listed, log = decide()
    rows = log.filter(pc.is_valid(log["rank"])).sort_by("rank")
    assert log.schema.equals(SCHEMA)
    for name in (*_COPIED, "customer_id", "arm", "channel", "offer", "evidence", "expires_at"):
        assert rows[name].to_pylist() == listed[name].to_pylist()
    first = f"{listed['list_id'][0].as_py()}/1"
    assert rows["list_row_id"][0].as_py() == first
    assert set(rows["effect_rung"].to_pylist()) == {"priors"}


def test_nothing_of_an_assignment_is_logged_for_those_not_listed() -> None:
    _, log = decide()
    others = log.filter(pc.is_null(log["rank"]))
    assert others.num_rows > 0
    of_everybody = ("life_cycle", "value_tier", "promotion", "promotion_basis")
    names = [
        name
        for name in SCHEMA.names[SCHEMA.get_field_index("propensity") :]
        if name not in of_everybody
    ]
    assert {name: others[name].null_count for name in names} == dict.fromkeys(
        names, others.num_rows
    )


def test_the_propensity_of_an_action_is_given_not_holdout() -> None:
    _, log = decide()
    rows = log.filter(pc.is_valid(log["rank"])).to_pylist()
    arms = {row["arm"] for row in rows}
    assert {"ghost", "holdout", "contact"} <= arms
    experiment = POLICY.experiment
    for row in rows:
        if row["arm"] == "holdout":
            assert row["action_propensity"] is None
            assert row["propensity"] == experiment.holdout_share
            continue
        joint = (1.0 - experiment.holdout_share) * row["action_propensity"]
        assert abs(row["propensity"] - joint) < 1e-8
        if row["arm"] == "ghost":
            assert row["action_propensity"] == experiment.ghost_share


def test_what_the_list_recommends_does_not_depend_on_the_arm() -> None:
    _, log = decide()
    rows = log.filter(pc.is_valid(log["rank"])).to_pylist()
    for row in rows:
        # Whom the contact arm would leave alone is listed on trial, never by that arm.
        if row["arm"] == "contact" or row["recommended_action"] != "none":
            assert "/" in row["recommended_action"]
        if row["arm"] == "contact":
            assert row["recommended_action"] == f"{row['channel']}/{row['offer']}"
