"""The report page, its charts, and the notes."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser

import pyarrow as pa
from test_scoring_recall_list import control, row, table_of

from features.value_tier import VALUE_TIERS
from pipelines.report.charts import stack_bars
from pipelines.report.judgement import Judgement, judgement_of
from pipelines.report.limit_prices import LimitPrice
from pipelines.report.limit_words import reached_text
from pipelines.report.manifest import build_manifest
from pipelines.report.outlook import Interval, Outlook
from pipelines.report.page import build_page
from pipelines.report.page_parts import Labels
from pipelines.report.page_words import PAGE_WORDS
from pipelines.report.summary import ModelUse, NightSummary, SegmentCounts
from scoring.arms import ARMS
from scoring.early_warning_table import SCHEMA
from scoring.list_files import ListFile
from scoring.segments import TierMovement

SUMMARY = NightSummary(
    day=date(2025, 11, 20),
    as_of=datetime(2025, 11, 19, 23, tzinfo=UTC),
    list_id="2025-11-20-abc",
    business="Smith & Söhne <Shop>",
    timezone="Europe/Berlin",
    currency="EUR",
    language="en",
    config_digest="0123456789abcdef" * 4,
    horizon_days=30.0,
    last_event=datetime(2025, 11, 19, 22, 46, tzinfo=UTC),
    scored=12345,
    dormant=900,
    eligible=300,
    listed=3,
    by_arm={"contact": 2, "explore": 0, "ghost": 1, "holdout": 0},
    by_channel={
        "email": {"contact": 2, "explore": 0, "ghost": 1, "holdout": 0},
        "sms": dict.fromkeys(ARMS, 0),
    },
    by_stage={"buyer": 3},
    by_hour={"email": {"11": 1, "19": 1}, "sms": {}},
    seats={"email": None, "sms": 0},
    by_evidence={"rules": 2, "response": 0, "uplift": 0},
    follow_ups=1,
    exclusions={"not_dormant": 11445, "no_eligible_channel": 597},
    channel_blocks={"email": {"no_consent_or_unreachable:email_consent": 7}, "sms": {}},
    expected_gain=17.5,
    contact_cost=0.02,
    outlook=Outlook(
        gain=Interval(17.5, -3.0, 41.25),
        extra_returns=Interval(0.8, 0.1, 1.6),
        returns_anyway=0.3,
        given_away=2.5,
    ),
    spend=2.52,
    spend_high=4.1,
    spend_level=0.9,
    prices=(
        LimitPrice("seats", "sms", price=1.13, used=0, limit=0),
        LimitPrice("budget", "", price=0.0, used=4.1, limit=50.0),
    ),
    caution=0.0,
    bound=17.6,
    gap=0.0002,
    segments=SegmentCounts(
        life_cycle={"new": 100, "dormant": 900},
        promotion={"neutral": 12345},
        movement=TierMovement(
            VALUE_TIERS,
            ((9000, 40, 30, 5), (60, 500, 0, 8), (0, 0, 0, 0), (2, 7, 11, 90)),
            (1,) * 4,
        ),
    ),
    cost_per_return=4.25,
    acquisition_cost=28.0,
    exploring_cost=1.5,
    drawn_other=0,
    on_trial=0,
    ghost_share=0.1,
    holdout_share=0.03,
    models=(
        ModelUse(
            kind="natural_return",
            version="3",
            digest="d" * 64,
            trained_until=datetime(2025, 11, 1, tzinfo=UTC),
            source="local copy",
            judged=Judgement("2025-10-01", 0.8767, 0.0616, 0.0851, "better"),
        ),
    ),
    notes=('Evidence is "rules"',),
)
TABLE = table_of(row(1, customer_id="<script>alert(1)</script>"), control(2), row(3))
NO_WARNINGS = SCHEMA.empty_table()
LABELS = Labels(
    channels={"email": "e-mail", "sms": "text message"},
    offers={"none": "no offer"},
    stages={"buyer": "has bought"},
)


def test_the_page_measures_an_extra_return_by_the_cost_of_a_new_customer() -> None:
    text = page()
    assert "<b>4.25 EUR</b><span>per extra return</span>" in text
    assert "a new customer: 28 EUR" in text
    assert "per extra return" not in page(replace(SUMMARY, cost_per_return=None))


def page(summary: NightSummary = SUMMARY) -> str:
    """The rendered page."""
    return build_page(summary, TABLE, warnings=NO_WARNINGS, labels=LABELS).content.decode("utf-8")


class _Tags(HTMLParser):
    """Collects what a page refers to and whether its tags are balanced."""

    VOID = frozenset({"meta", "br", "rect", "img", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.references: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_is_whole_and_refers_to_nothing_outside() -> None:
    tags = _Tags()
    tags.feed(page())
    assert tags.open == []
    sections = {one for one in tags.references if one.startswith("#")}
    assert set(tags.references) - sections == {"data:,"}
    assert all(f'id="{one[1:]}"' in page() for one in sections)
    assert "script" not in tags.seen
    assert "prefers-color-scheme: dark" in page()


def test_texts_of_customers_and_configuration_are_escaped() -> None:
    text = page()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "Smith &amp; Söhne &lt;Shop&gt;" in text


def test_the_page_says_what_a_reader_must_know() -> None:
    text = page()
    for words in (
        "12\u202f345",
        "Evidence is &#34;rules&#34;",
        "is not dormant",
        "the flag &#34;email_consent&#34; is not true",
        "local copy",
        "as of 2025-11-20 00:00 Europe/Berlin",
        "2025-11-19 23:46 Europe/Berlin",
        "2025-11-01",
        "control: do not contact",
        "expected gain",
        "-3.00 EUR to 41 EUR",
    ):
        assert words in text, words


def test_equal_nights_give_equal_pages() -> None:
    assert page() == page()


def test_bars_are_to_scale() -> None:
    first, second, third = stack_bars(
        [("e-mail", {"contact": 30, "ghost": 10}), ("sms", {"contact": 20}), ("-", {})]
    )
    assert [(part.name, part.percent) for part in first.segments] == [
        ("contact", 75.0),
        ("ghost", 25.0),
    ]
    assert [part.percent for part in second.segments] == [50.0]
    assert (first.total, second.total, third.total) == (40, 20, 0)
    assert third.segments == ()


def test_no_bars() -> None:
    assert stack_bars([]) == ()
    assert stack_bars([("a", {"contact": 0})])[0].segments == ()


def test_a_price_is_told_in_words_and_the_bound_is_never_rounded_up() -> None:
    text = page()
    assert "One more text message seat tonight is worth 1.13 EUR." in text
    assert "budget: not a limit tonight" in text
    assert "could expect more than 18 EUR: 99.98 % of it is reached" in text
    assert reached_text(0.000004, language="en") == "99.9996 %"
    assert reached_text(0.31, language="en") == "69.00 %"
    assert reached_text(0.0, language="en") == "100.00 %"


def test_without_prices_the_page_says_so() -> None:
    assert "No limit is configured" in page(replace(SUMMARY, prices=()))
    free = (LimitPrice("rows", "", price=0.0, used=3, limit=10),)
    assert "Nothing limits tonight" in page(replace(SUMMARY, prices=free))


def test_effects_that_are_assumptions_are_called_not_proven_yet() -> None:
    assert "assumption, not proven yet" in page()


def test_a_chinese_page_holds_no_english_sentence() -> None:
    labels = Labels(
        channels={"email": "邮件", "sms": "短信"}, offers={"none": "无"}, stages={"buyer": "已购"}
    )
    table = table_of(row(1, reason_1="已沉默94天"), control(2, reason_1="已沉默94天"))
    summary = replace(SUMMARY, language="zh", business="商店", notes=())
    text = build_page(summary, table, warnings=NO_WARNINGS, labels=labels).content.decode("utf-8")
    assert 'lang="zh-CN"' in text
    body = re.sub(r"<style>.*?</style>|<code>.*?</code>|<[^>]+>", " ", text, flags=re.DOTALL)
    known = {"EUR", "Europe", "Berlin", "recall_list", "xlsx", "email_consent"}
    assert set(re.findall(r"[A-Za-z_]{3,}", body)) <= known


def test_every_text_says_the_same_in_both_languages_and_only_in_them() -> None:
    for section, texts in PAGE_WORDS.items():
        for key, text in texts.items():
            places = [sorted(re.findall(r"{(\w+)}", one)) for one in (text.en, text.zh)]
            assert places[0] == places[1], (section, key)
            assert not re.search("[\u4e00-\u9fff]", text.en), (section, key)
            words = set(re.findall("[A-Za-z_]{2,}", re.sub(r"{\w+}", "", text.zh)))
            assert words <= {"recall_list", "xlsx", "early_warnings", "csv"}, (section, key)


def test_returns_say_within_how_long_and_counts_what_they_count() -> None:
    text = page()
    assert "Returns within 30 days: alone → contacted" in text
    assert 'data-name="returns within 30 days"' in text
    assert "Of 12\u202f345 known customers 900 have been silent for longer than" in text
    assert "they need not be equal" in text
    # 46 of 3,000 customers were once told as "3 % of all customers".
    assert "1 customer (10\u00a0% of each night" in text
    assert "0 customers of the holdout" in text
    assert "holdout is 3\u00a0% of all customers" in text


def test_models_are_told_with_their_last_judgement() -> None:
    told = "two customers in the right order: 87.7\u00a0%; log loss 0.062, recency rule 0.085: "
    assert f"{told}better (2025-10-01)" in page()
    model = SUMMARY.models[0]
    unproven = replace(model, judged=Judgement("2025-10-01", 0.5, 0.1, 0.1, "not proven yet"))
    rule = replace(model, judged=Judgement("2025-10-01", 0.5, 0.1, 0.1, None))
    text = page(replace(SUMMARY, models=(unproven, rule, replace(model, judged=None))))
    for words in ("not proven to be better", "the rule itself serves", "no rule to compare with"):
        assert words in text


def test_a_judgement_is_that_of_the_served_rung_on_the_test_fold() -> None:
    def rung(name: str, loss: float) -> dict[str, object]:
        return {"name": name, "metrics": {"auc": {"value": 0.9}, "log_loss": {"value": loss}}}

    test = {
        "fold": "test",
        "days": ["2025-10-01"],
        "ladder": [rung("recency rule", 0.3), rung("stack", 0.2)],
        "differences": [
            {"baseline": "recency rule", "metric": "auc", "verdict": "worse"},
            {"baseline": "recency rule", "metric": "log_loss", "verdict": "better"},
        ],
    }
    metrics = {"shipped": "stack", "folds": [{"fold": "training"}, test]}
    assert judgement_of(metrics) == Judgement("2025-10-01", 0.9, 0.2, 0.3, "better")
    assert judgement_of({"verdicts": []}) is None


def test_a_night_of_nobody_has_a_page() -> None:
    nobody = replace(
        SUMMARY,
        listed=0,
        list_id=None,
        by_arm=dict.fromkeys(ARMS, 0),
        by_channel={name: dict.fromkeys(ARMS, 0) for name in SUMMARY.by_channel},
        by_hour={name: {} for name in SUMMARY.by_channel},
        by_evidence=dict.fromkeys(SUMMARY.by_evidence, 0),
        last_event=None,
    )
    text = build_page(
        nobody, TABLE.slice(0, 0), warnings=NO_WARNINGS, labels=LABELS
    ).content.decode("utf-8")
    assert "Nobody is listed tonight." in text
    assert "No event is known." in text


def test_the_page_does_not_grow_with_the_list() -> None:
    long = pa.concat_tables([TABLE] * 5_000)
    assert len(build_page(SUMMARY, long, warnings=NO_WARNINGS, labels=LABELS).content) < 60_000


def test_the_manifest_is_json_with_digests() -> None:
    manifest = build_manifest(SUMMARY, [ListFile("a.csv", b"abc")], tables={"events": 4})
    text = manifest.content.decode()
    assert '"sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"' in text
    assert "Söhne" in text
    assert '"events": 4' in text
