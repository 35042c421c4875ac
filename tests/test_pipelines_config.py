"""winback.toml: every fault at once, each with its key, what is there and what was expected."""

import hashlib
from pathlib import Path

import pytest

from features.errors import DataError, UsageError
from pipelines.config import load_config, parse_config
from pipelines.init import preset_text

MINIMAL = """
schema_version = 1
[business]
name = "Shop"
timezone = "Europe/Berlin"
currency = "EUR"
gross_margin = 0.4
acquisition_cost = 20
[events]
types = ["visit", "purchase", "refund"]
activity = ["visit", "purchase"]
orders = ["purchase"]
refunds = ["refund"]
[[stages]]
name = "buyer"
label = "has bought"
entered_by = ["purchase"]
active_on = ["purchase"]
returns_by = ["purchase"]
silence_days = 60
"""


def faults_of(text: str, *, place: str = "winback.toml") -> list[str]:
    """The fault lines of a configuration that must not be accepted."""
    with pytest.raises(DataError) as caught:
        parse_config(text.encode(), place=place, home=Path())
    return [line.strip() for line in str(caught.value).splitlines()[1:-1]]


def only_fault(text: str) -> str:
    faults = faults_of(text)
    assert len(faults) == 1, faults
    return faults[0]


def changed(old: str, new: str) -> str:
    assert old in MINIMAL
    return MINIMAL.replace(old, new)


def test_minimal_file_gets_defaults(tmp_path: Path) -> None:
    file = tmp_path / "winback.toml"
    file.write_text(MINIMAL)
    config = load_config(tmp_path)
    assert config.home == tmp_path.resolve()
    assert config.windows.horizon_days == 30
    assert tuple(config.offers) == ("none",)
    assert config.tracking_uri == f"sqlite:///{tmp_path.resolve()}/mlflow.db"
    assert config.warehouse_path == str(tmp_path.resolve() / "warehouse")
    assert config.feature_spec().orders == ("purchase",)


def test_digest_is_the_sha256_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "winback.toml"
    file.write_text(MINIMAL)
    assert load_config(file).digest == hashlib.sha256(file.read_bytes()).hexdigest()


def test_object_store_url_is_kept() -> None:
    text = MINIMAL + '[storage]\nwarehouse = "s3://bucket/warehouse"\n'
    assert parse_config(text.encode(), place="x", home=Path()).warehouse_path.startswith("s3://")


def test_lists_at_an_url_are_refused_instead_of_written_to_a_folder_named_s3() -> None:
    text = MINIMAL + '[storage]\nlists = "s3://bucket/lists"\n'
    with pytest.raises(DataError, match=r'storage\.lists: "s3://bucket/lists" is not valid'):
        parse_config(text.encode(), place="x", home=Path())


def test_a_folder_without_configuration_is_named_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for path in (Path(), Path("winback.toml"), tmp_path):
        with pytest.raises(UsageError) as caught:
            load_config(path)
        assert str(caught.value) == (
            f"{tmp_path.resolve()}: no configuration file winback.toml in this folder. Expected a "
            "configuration that `winback init` wrote. Fix: run `winback init --preset retail`, or "
            "pass --config FOLDER."
        )
    with pytest.raises(UsageError, match=r"other\.toml: no configuration file of this name"):
        load_config(Path("other.toml"))


def test_byte_order_mark_is_accepted() -> None:
    assert parse_config(b"\xef\xbb\xbf" + MINIMAL.encode(), place="x", home=Path())


def test_toml_fault_names_the_line() -> None:
    with pytest.raises(DataError, match=r"winback\.toml: not a TOML document: .*line 4"):
        parse_config(
            changed('name = "Shop"', "name = Shop").encode(), place="winback.toml", home=Path()
        )


def test_bytes_that_are_not_utf8_name_the_line() -> None:
    raw = changed('"Shop"', '"Caf\u00e9"').encode("latin-1")
    with pytest.raises(DataError, match="line 4 is not UTF-8"):
        parse_config(raw, place="winback.toml", home=Path())


def test_twelve_planted_faults_are_all_reported() -> None:
    text = preset_text("retail")
    planted = [
        ('currency = "EUR"', 'currency = "euro"', "business.currency"),
        ("gross_margin = 0.40", 'gross_margin = "0.40"', "business.gross_margin"),
        ('timezone = "Europe/Berlin"', 'timezone = "Europe/Berln"', "business.timezone"),
        ("buckets = 16", "bukets = 16", "storage.bukets"),
        ("horizon_days = 30", "horizon_days = -30", "windows.horizon_days"),
        ("capacity = 400 ", "capacity = 400.5 ", "channels.sms.capacity"),
        (
            'windows = ["11:00-12:00", "19:00-20:00"]',
            'windows = ["11-12"]',
            "channels.phone.windows",
        ),
        ("cost_on_return = 10.0", "cost_on_return = true", "offers.voucher_10.cost_on_return"),
        (
            "max_per_7d = 2\nmax_per_30d = 4\nmin",
            "max_per_7d = -2\nmax_per_30d = 4\nmin",
            "caps.max",
        ),
        ("ghost_share = 0.10", "ghost_share = 0.9", "experiment.ghost_share"),
        ('calibration = "auto"', 'calibration = "beta"', "training.calibration"),
        ('refunds = ["refund"]', 'refunds = ["refnd"]', "events.refunds"),
    ]
    text = text.replace("capacity = 400\n", "capacity = 400 \n")
    for old, new, _ in planted:
        assert old in text, old
        text = text.replace(old, new)
    faults = faults_of(text)
    assert len(faults) == len(planted), faults
    for _, _, place in planted:
        assert any(fault.startswith(place) for fault in faults), (place, faults)


def test_unknown_section_suggests_the_nearest() -> None:
    fault = only_fault(MINIMAL + "[chanels.push]\nlabel = 'push'\ncost = 1\n")
    assert fault.startswith('chanels: unknown key; did you mean "channels"? Expected one of: ')


def test_unknown_key_suggests_the_nearest_and_lists_the_valid() -> None:
    fault = only_fault(MINIMAL + "[training.learner]\nlearning_rat = 0.1\n")
    assert 'training.learner.learning_rat: unknown key; did you mean "learning_rate"?' in fault
    assert "early_stopping_rounds" in fault


def test_unknown_key_inside_a_named_table() -> None:
    fault = only_fault(MINIMAL + "[channels.push]\nlabel = 'push'\ncosts = 1\ncost = 1\n")
    assert fault.startswith('channels.push.costs: unknown key; did you mean "cost"?')


def test_stage_faults_name_the_stage() -> None:
    fault = only_fault(changed("silence_days = 60", 'silence_days = "60"'))
    assert fault == "stages[0] (buyer).silence_days: '60' is not valid; expected a number"


def test_stage_names_an_unknown_event_type() -> None:
    fault = only_fault(changed('returns_by = ["purchase"]', 'returns_by = ["purchas"]'))
    assert fault.startswith('stages[0] (buyer).returns_by: "purchas" is not in events.types; ')
    assert 'did you mean "purchase"? Expected one of: visit, purchase, refund' in fault


def test_missing_key_and_missing_section() -> None:
    text = changed('label = "has bought"\n', "").replace("schema_version = 1", "")
    faults = faults_of(text)
    assert "schema_version: missing; expected this section" in faults
    assert "stages[0] (buyer).label: missing; expected a value for label" in faults


def test_single_table_instead_of_a_list_of_stages() -> None:
    fault = only_fault(changed("[[stages]]", "[stages]"))
    assert fault == (
        "stages: a single table is not valid; expected a list of tables: write [[stages]]"
    )


def test_not_a_number_is_refused() -> None:
    fault = only_fault(changed("gross_margin = 0.4", "gross_margin = nan"))
    assert fault == "business.gross_margin: nan is not valid; expected a finite number"


def test_a_number_that_is_none_hides_no_other_fault_of_its_section() -> None:
    text = "[training]\nstep_days = 0\n[training.learner]\nlearning_rate = nan\nthreads = 0\n"
    faults = [fault.partition(":")[0] for fault in faults_of(MINIMAL + text)]
    assert sorted(faults) == [
        "training.learner.learning_rate",
        "training.learner.threads",
        "training.step_days",
    ]


def test_an_endless_number_in_a_list_is_one_fault() -> None:
    fault = only_fault(changed("silence_days = 60", "silence_days = inf"))
    assert fault == "stages[0] (buyer).silence_days: inf is not valid; expected a finite number"


def test_an_unmapped_flag_is_never_mistaken_for_the_consent_to_another_channel() -> None:
    """`did you mean "email_consent"?` would have sent text messages without consent."""
    text = (
        MINIMAL
        + """
[sources.customers.flags]
email_consent = "email_consent"
[channels.sms]
label = "text message"
cost = 0.1
requires = ["sms_consent"]
"""
    )
    assert only_fault(text) == (
        'channels.sms.requires: "sms_consent" is not in sources.customers.flags (email_consent); '
        "map it in [sources.customers.flags], take it out of `requires`, or delete "
        "[channels.sms] and its name in [[stages]].channels"
    )


def test_flag_without_any_flags_defined() -> None:
    text = MINIMAL + "[channels.sms]\nlabel = 'text'\ncost = 0.1\nrequires = ['consent']\n"
    assert "sources.customers.flags (which is empty); map it" in only_fault(text)


def test_names_that_resemble_nothing_continue_the_sentence() -> None:
    assert "qqqq: unknown key; expected one of: schema_version" in only_fault(
        MINIMAL + "[qqqq]\nx = 1\n"
    )
    fault = only_fault(changed('returns_by = ["purchase"]', 'returns_by = ["zzzz"]'))
    assert '"zzzz" is not in events.types; expected one of: visit, purchase, refund' in fault


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('refunds = ["refund"]', 'refunds = ["purchase"]', "is in events.orders too"),
        (
            '"visit", "purchase", "refund"]',
            '"visit", "purchase", "refund", "visit"]',
            "there twice",
        ),
        (
            '"visit", "purchase", "refund"]',
            '"visit", "purchase", "refund", "a b"]',
            "a letter, then",
        ),
        (
            'refunds = ["refund"]',
            'refunds = ["refund"]\nunknown = "map"',
            "events.unknown_as: miss",
        ),
        ("silence_days = 60", "", "no stage has silence_days"),
    ],
)
def test_rules_between_event_and_stage_keys(old: str, new: str, expected: str) -> None:
    assert expected in only_fault(changed(old, new))


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (
            "[channels.sms]\nlabel='x'\ncost=1\nwindows=['22:00-23:00']",
            "lies wholly in quiet_hours",
        ),
        ("[channels.sms]\nlabel='x'\ncost=1\nwindows=['11:00-11:00']", "is empty"),
        (
            "[channels.sms]\nlabel='x'\ncost=1\nsend_hours=['11:00-11:00', '10:00-20:00']",
            "is empty",
        ),
        (
            "[channels.sms]\nlabel='x'\ncost=1\nsend_hours=['21:30-08:00']",
            "quiet_hours leave nothing of them",
        ),
        (
            "[channels.sms]\nlabel='x'\ncost=1\nwindows=['11:00-12:00']\nsend_hours=['14:00-18:00']",
            "lies wholly outside send_hours",
        ),
        (
            "[channels.sms]\nlabel='x'\ncost=1\nquiet_hours=['00:00-00:00']",
            "or [] for no quiet hours",
        ),
        ("[channels.E-Mail]\nlabel='x'\ncost=1", "text that matches"),
        ("[offers.gift]\nlabel='x'", "offers.none: missing"),
        ("[storage]\nmlflow_experiment=''", "storage.mlflow_experiment: '' is not valid"),
        ("[storage]\nwarehouse=''", "storage.warehouse: '' is not valid"),
        ("[experiment]\nghost_share=0.5\nexplore_share=0.5", "ghost_share + explore_share is 1"),
        ("[experiment]\nghost_share=0.5\ncold_explore_share=0.5", "+ cold_explore_share is 1"),
        (
            "[experiment]\nholdout_share=0.4\nghost_share=0.3\nexplore_share=0.3",
            "someone is left for the best action",
        ),
        ("[experiment]\nexploration='greedy'", "experiment.exploration"),
        (
            "[experiment]\npropensity_floor=0.2\n[offers.none]\nlabel='x'\n"
            + "".join(f"[offers.o{place}]\nlabel='x'\n" for place in range(3))
            + "".join(f"[channels.c{place}]\nlabel='x'\ncost=1\n" for place in range(2)),
            "0.2 for each of up to 8 actions is more than 1; expected at most 0.1250",
        ),
        ("[training]\nas_of='2026-13-01'", "expected a date such as 2026-11-01"),
        ("[sources.customers.flags]\n'Has App'='app'", "sources.customers.flags"),
    ],
)
def test_rules_of_other_sections(section: str, expected: str) -> None:
    assert expected in only_fault(MINIMAL + section)


def test_stage_nobody_can_be_on() -> None:
    text = MINIMAL + MINIMAL[MINIMAL.index("[[stages]]") :].replace('"buyer"', '"again"')
    assert "nobody is ever on this one" in only_fault(text)


def test_training_date_may_stand_without_quotes() -> None:
    config = parse_config(
        (MINIMAL + "[training]\nas_of = 2026-11-01\n").encode(), place="x", home=Path()
    )
    assert config.training.as_of == "2026-11-01"


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("[list]", "max_rows", "9223372036854775808"),
        ("[limits]", "budget", "1e300"),
        ("[caps]", "recent_order_days", "1e300"),
        ('[channels.sms]\nlabel = "SMS"\ncost = 1', "capacity", "9223372036854775808"),
        ('[channels.sms]\nlabel = "SMS"\ncost = 1', "effect_prior", "1e308"),
        ('[channels.sms]\nlabel = "SMS"\ncost = 1', "channel_value", "1e300"),
    ],
)
def test_numbers_that_no_night_can_count_with_are_refused(
    section: str, key: str, value: str
) -> None:
    fault = only_fault(f"{MINIMAL}{section}\n{key} = {value}\n")
    assert f".{key}: " in fault
    assert "expected less than or equal to" in fault


def test_more_segments_than_a_night_can_hold_are_told_in_words() -> None:
    one = '[[limits.segments]]\nname = "s{}"\nmax_contacts = 1\n'
    fault = only_fault(MINIMAL + "".join(one.format(number) for number in range(51)))
    assert fault.endswith("expected at most 50 entries")
