import numpy as np
import pytest

from features.errors import UsageError
from pipelines.policy_rule import apply_rule, parse_rule

ACTIONS = ("sms/none", "sms/coupon")
COLUMNS = {
    "silence_days": np.array([10.0, 70.0, np.nan, 100.0]),
    "stage": np.array(["lead", "buyer", None, "buyer"], dtype=object),
    "order": np.array([1.0, 2.0, 3.0, 4.0]),
}


def act(text: str) -> list[int]:
    return apply_rule(parse_rule(text, actions=ACTIONS), COLUMNS, actions=ACTIONS).tolist()


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ("sms/none where silence_days >= 60", [-1, 0, -1, 0]),
        ("sms/none", [0, 0, 0, 0]),
        ("none", [-1, -1, -1, -1]),
        ("none where silence_days is null; sms/coupon", [1, 1, -1, 1]),
        ("sms/none where stage = 'buyer'; sms/coupon where true", [1, 0, 1, 0]),
        ("sms/none where silence_days > 80; sms/coupon where silence_days > 60", [-1, 1, -1, 0]),
        ("sms/none where SILENCE_DAYS between 5 and 80", [0, 0, -1, -1]),
        ("sms/none where not stage in ('lead', 'x; y')", [-1, 0, -1, 0]),
        ("sms/none where CASE WHEN silence_days < 50 THEN true ELSE false END", [0, -1, -1, -1]),
        ('sms/none where round("order" / 2) >= 2', [-1, -1, 0, 0]),
        ("sms/none where coalesce(silence_days, 0) < 20", [0, -1, 0, -1]),
        ("sms/none\n  where silence_days\n >= 60", [-1, 0, -1, 0]),
    ],
)
def test_the_first_clause_that_holds_decides(rule: str, wanted: list[int]) -> None:
    assert act(rule) == wanted


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ("", "no clause"),
        ("sms/none if silence_days > 3", "no clause"),
        ("sms/none where", "no condition"),
        ("sms/nine where true", 'did you mean "sms/none"'),
        ("fax/none", "no action fax/none"),
        ("sms/none where silence >= 60", "no column silence"),
        ("sms/none where logged.stage = 'buyer'", "no column logged.stage"),
        ("sms/none where silence_days", "gives DOUBLE"),
        ("sms/none where silence_days > 'many'", "cannot be computed"),
        ("sms/none where random() < 0.5", "calls random"),
        ("sms/none where now() > '2020-01-01'", "calls now"),
        ("sms/none where current_date > '2020-01-01'", "no column current_date"),
        ("sms/none where sum(silence_days) > 1", "calls sum"),
        ("sms/none where count(*) > 1", "calls count_star"),
        ("sms/none where lag(silence_days) over () > 1", "holds window"),
        ("sms/none where silence_days > (select 1)", "subquery"),
        ("sms/none where read_text('x') = 'y'", "calls read_text"),
        ("sms/none where silence_days > $1", "holds parameter"),
        ("sms/none where columns(*) > 1", "holds star"),
        ("sms/none where list_transform([1], a -> a) is null", "holds lambda"),
        ("sms/none where true) from read_csv('x') --", "goes on as a query"),
        ("sms/none where silence_days >", "not a SQL expression"),
    ],
)
def test_what_is_no_rule_is_refused_with_its_reason(rule: str, fault: str) -> None:
    with pytest.raises(UsageError, match="--rule") as caught:
        act(rule)
    assert fault in str(caught.value)


def test_a_value_that_cannot_be_computed_is_not_shown() -> None:
    with pytest.raises(UsageError) as caught:
        act("sms/none where CAST(stage AS INTEGER) > 1")
    assert "cannot be computed" in str(caught.value)
    assert "buyer" not in str(caught.value)


def test_the_order_of_rows_never_matters() -> None:
    order = np.array([2, 0, 3, 1])
    shuffled = {name: values[order] for name, values in COLUMNS.items()}
    rule = parse_rule("sms/none where silence_days > 80; sms/coupon", actions=ACTIONS)
    first = apply_rule(rule, COLUMNS, actions=ACTIONS)
    assert apply_rule(rule, shuffled, actions=ACTIONS).tolist() == first[order].tolist()


def test_no_rows_get_no_actions_but_faults_are_found() -> None:
    empty = {name: values[:0] for name, values in COLUMNS.items()}
    rule = parse_rule("sms/none where stage = 'buyer'", actions=ACTIONS)
    assert len(apply_rule(rule, empty, actions=ACTIONS)) == 0
    with pytest.raises(UsageError, match="no column age"):
        apply_rule(parse_rule("sms/none where age > 3", actions=ACTIONS), empty, actions=ACTIONS)
