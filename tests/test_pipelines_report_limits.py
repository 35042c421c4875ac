"""A night's limits: what they are worth, how full they are, which side of a segment binds."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from test_pipelines_report import LABELS, SUMMARY

from pipelines.report.limit_prices import Allowance, LimitPrice, limit_prices
from pipelines.report.limit_words import binding_prices, bound_text, limit_words
from pipelines.report.page_parts import trial_text
from pipelines.report.summary import Explored, count_explored, exploring_cost
from scoring.arms import CONTACT, EXPLORE
from scoring.language import Language
from scoring.night_plan import Certificate
from scoring.outcomes import NO_ACTION
from scoring.policy import NightLimits, SegmentLimit

SEGMENTS = (
    SegmentLimit(name="new", life_cycle=("new",), min_share=0.2),
    SegmentLimit(name="north", stage=("buyer",), min_contacts=5, max_contacts=30),
)
ALLOWANCE = Allowance(
    seats={"push": None, "phone": 40},
    rows=500,
    limits=NightLimits(budget=200.0, segments=SEGMENTS),
)


def certificate(**changes: object) -> Certificate:
    known = Certificate(
        value=99.0,
        bound=100.0,
        budget_price=0.43211,
        seat_prices=np.array([0.0, 1.13]),
        row_price=0.0,
        segment_prices=np.array([0.08, 0.3]),
        seats=np.array([-1, 40]),
        contacts=100,
        seats_used=np.array([60, 40]),
        segment_used=np.array([20, 30]),
        spent=150.0,
        spent_high=199.99,
    )
    return replace(known, **changes)  # type: ignore[arg-type]


def test_every_limit_there_is_has_its_price() -> None:
    assert limit_prices(certificate(), ALLOWANCE, listed=120) == (
        LimitPrice("seats", "phone", 1.13, 40.0, 40.0),
        LimitPrice("budget", "", 0.4321, 199.99, 200.0),
        LimitPrice("rows", "", 0.0, 120.0, 500.0),
        LimitPrice("segment_least", "new", 0.08, 20.0, 20.0),
        LimitPrice("segment_most", "north", 0.3, 30.0, 30.0),
    )


def test_seats_by_the_hour_are_a_limit_like_others() -> None:
    known = certificate(seats=np.array([-1, 18]), seats_used=np.array([60, 18]))
    by_hour = replace(ALLOWANCE, seats={"push": None, "phone": None})
    assert limit_prices(known, by_hour, listed=120)[0] == LimitPrice(
        "seats", "phone", 1.13, 18.0, 18.0
    )


@pytest.mark.parametrize(("used", "kind", "limit"), [(6, "least", 5.0), (28, "most", 30.0)])
def test_a_segment_shows_the_limit_it_is_nearer_to(used: int, kind: str, limit: float) -> None:
    known = certificate(segment_used=np.array([20, used]), segment_prices=np.zeros(2))
    north = limit_prices(known, ALLOWANCE, listed=0)[-1]
    assert (north.kind, north.limit, north.binds) == (f"segment_{kind}", limit, False)


def test_a_segment_with_a_most_alone_never_shows_a_least_of_nothing() -> None:
    north = SegmentLimit(name="north", max_contacts=30)
    allowance = replace(ALLOWANCE, limits=NightLimits(segments=(north,)))
    known = certificate(segment_used=np.array([1]), segment_prices=np.zeros(1))
    told = limit_prices(known, allowance, listed=0)[-1]
    assert (told.kind, told.used, told.limit) == ("segment_most", 1.0, 30.0)


def test_what_is_not_limited_is_not_told() -> None:
    free = Allowance(seats={"push": None, "phone": None}, rows=None, limits=NightLimits())
    known = certificate(
        segment_prices=np.zeros(0),
        segment_used=np.zeros(0, dtype=np.int64),
        seats=np.array([-1, -1]),
    )
    assert limit_prices(known, free, listed=9) == ()


def test_the_dearest_limit_comes_first_and_the_others_are_called_no_limit() -> None:
    night = replace(SUMMARY, prices=limit_prices(certificate(), ALLOWANCE, listed=120))
    assert [one.price for one in binding_prices(night)] == [1.13, 0.4321, 0.3, 0.08]
    words = limit_words(night, LABELS)
    assert words.binding[0].text == "One more phone seat tonight is worth 1.13 EUR."
    assert words.binding[1].text == "One EUR more of tonight's budget is worth 0.43 EUR of gain."
    assert words.binding[3].told == "20, at least 20"
    assert [one.text for one in words.slack] == ["rows on the list: not a limit tonight"]
    assert words.slack[0].percent == 24.0


def test_where_nothing_can_be_gained_there_is_no_bound_to_tell() -> None:
    assert bound_text(replace(SUMMARY, bound=0.0)) is None


@pytest.mark.parametrize(
    ("language", "caution", "start"),
    [
        ("en", 0.5, "After taking off 0.5 standard errors: "),
        ("en", 1.0, "After taking off 1 standard error: "),
        ("zh", 0.5, "扣除 0.5 个标准误后："),
    ],
)
def test_prices_and_bound_say_that_caution_is_taken_off(
    language: Language, caution: float, start: str
) -> None:
    night = replace(
        SUMMARY, language=language, prices=limit_prices(certificate(), ALLOWANCE, listed=9)
    )
    calm, wary = (limit_words(replace(night, caution=taken), LABELS) for taken in (0.0, caution))
    assert [one.text for one in wary.binding] == [f"{start}{one.text}" for one in calm.binding]
    assert wary.bound == f"{start}{calm.bound}"
    assert wary.slack == calm.slack


def test_a_trial_that_takes_a_scarce_seat_pays_its_price() -> None:
    night = SimpleNamespace(
        listed=np.array([0, 1, 2]),
        draws=SimpleNamespace(arm=np.array([EXPLORE, EXPLORE, CONTACT])),
        choices=SimpleNamespace(
            best_action=np.array([0, NO_ACTION, 1]), action=np.array([1, 0, 1])
        ),
        actions=SimpleNamespace(channel_of=np.array([0, 1])),
        gains=np.array([[1.0, 3.0], [-0.5, -2.0], [1.0, 9.0]]),
        cost=np.array([[0.0, 2.0], [0.0, 2.0], [0.0, 2.0]]),
        certificate=certificate(seat_prices=np.array([0.0, 4.0]), budget_price=0.25),
    )
    # The first gives up 1 for 3 - 4 - 0.25 * 2, the second nothing for -0.5.
    assert exploring_cost(night) == pytest.approx(1.0 - (3.0 - 4.0 - 0.5) + 0.5)  # type: ignore[arg-type]


def test_explorers_who_got_the_best_action_are_not_said_to_have_another() -> None:
    night = SimpleNamespace(
        listed=np.arange(5),
        draws=SimpleNamespace(arm=np.array([EXPLORE, EXPLORE, EXPLORE, EXPLORE, CONTACT])),
        choices=SimpleNamespace(
            best_action=np.array([0, 1, NO_ACTION, 1, 1]), action=np.array([0, 0, 2, 1, 0])
        ),
    )
    assert count_explored(night) == Explored(drawn_other=1, on_trial=1)  # type: ignore[arg-type]
    arms = {**SUMMARY.by_arm, "explore": 163}
    told = replace(SUMMARY, by_arm=arms, drawn_other=66, on_trial=28)
    assert trial_text(told) == (
        "Trials cost 1.50 EUR of expected gain tonight. 163 rows have an action drawn by chance, "
        "so that we find out what works; for 66 it is not the best one, 28 would not have been "
        "listed otherwise."
    )
    assert trial_text(replace(told, language="zh")) == (
        "今晚的试验使预期收益减少 1.50 EUR。163行采用随机抽取的方案，以便了解什么有效："
        "其中66行不是当前最佳方案，28行若非试验不会进入名单。"
    )
    free = replace(told, exploring_cost=0.0, by_arm=arms)
    assert trial_text(free).startswith("Trials cost nothing tonight. 163 rows have an action")
    assert trial_text(SUMMARY) == "Trials cost nothing tonight."


def test_what_is_used_up_and_what_cannot_be_kept_is_said() -> None:
    known = certificate(
        segment_used=np.array([3, 29]), segment_prices=np.zeros(2), seat_prices=np.zeros(2)
    )
    night = replace(SUMMARY, prices=limit_prices(known, ALLOWANCE, listed=120))
    words = limit_words(night, LABELS)
    told = [one.text for one in (*words.binding, *words.slack)]
    assert any(text.startswith("“new” gets fewer contacts than promised") for text in told)
    assert "phone seats: used up" in told
    assert "north: not a limit tonight" in told
