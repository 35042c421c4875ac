"""The presets: valid, fully commented, and in step with the worlds that the simulator lives in."""

import re
import tomllib
from pathlib import Path

import pytest
from catalogues import latin_left

from features.errors import UsageError
from pipelines.config import Config, parse_config
from pipelines.init import PRESETS, preset_config, preset_text, read_language, write_config
from pipelines.preset_language import chinese_comments, preset_comments
from pipelines.simulate.business import BUSINESSES, reach_of


@pytest.mark.parametrize("preset", PRESETS)
def test_preset_is_valid(preset: str) -> None:
    config = preset_config(preset)
    assert config.offers["none"].effect_prior == 0
    assert list(config.channels) == ["push", "sms", "email", "phone"]


@pytest.mark.parametrize("preset", PRESETS)
def test_effect_priors_are_small_and_unsure(preset: str) -> None:
    config = preset_config(preset)
    for channel in config.channels.values():
        assert 0 < channel.effect_prior <= 0.4
        assert channel.effect_prior_sd > 0
    assert config.channels["phone"].cost == max(c.cost for c in config.channels.values())


@pytest.mark.parametrize("preset", PRESETS)
def test_every_channel_keeps_night_quiet(preset: str) -> None:
    for channel in preset_config(preset).channels.values():
        assert any(span.endswith("-09:00") for span in channel.quiet_hours)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_key_is_explained_where_it_is_first_used(preset: str) -> None:
    lines = [line for line in preset_text(preset).splitlines() if re.match(r"^\w+ = ", line)]
    first_use = {line.split(" = ")[0]: line for line in reversed(lines)}
    own_names = {"app_installed", *preset_config(preset).sources.customers.flags}
    own_names |= {*preset_config(preset).sources.customers.attributes}
    assert [
        key for key, line in first_use.items() if "#" not in line and key not in own_names
    ] == []


def test_lending_ladder_follows_the_field() -> None:
    stages = {stage.name: stage.silence_days for stage in preset_config("lending").stages}
    assert stages == {
        "registered": 3,
        "application": 3,
        "in_review": None,
        "refused": None,
        "granted": 7,
        "active_loan": None,
        "settled": 30,
    }


@pytest.mark.parametrize("preset", PRESETS)
def test_world_knows_every_configured_name(preset: str) -> None:
    config, business = preset_config(preset), BUSINESSES[preset]
    assert set(config.events.types) == set(business.event_types)
    reach = reach_of(business, config)
    assert len(reach.requires) == len(config.channels)
    assert len(reach.offer_effect) == len(config.offers)


def test_commented_keys_are_valid_when_uncommented() -> None:
    text = preset_text("retail")
    for line in ("# unknown_as", "# return_value", "# at_risk_probability", "# as_of"):
        assert line in text
        text = text.replace(line, line.removeprefix("# "))
    assert tomllib.loads(text)["training"]["as_of"] == "2026-11-01"


@pytest.mark.parametrize("preset", PRESETS)
def test_examples_of_sql_in_comments_are_valid_when_uncommented(preset: str) -> None:
    text = preset_text(preset)
    for key, quoted in (("amount", "replace(amount"), ("email_consent", "E-Mail allowed")):
        (line,) = [line for line in text.splitlines() if line.startswith("# ") and quoted in line]
        text = re.sub(rf"(?m)^{key} = .*$", "", text).replace(line, line.removeprefix("# "))
    sources = parse_config(text.encode(), place=preset, home=Path()).sources
    assert sources.events.amount == "replace(amount, ',', '.')"
    assert sources.customers.flags["email_consent"] == "\"E-Mail allowed\" = 'yes'"


def labels_of(config: Config) -> list[str]:
    """What the configuration writes for readers."""
    labelled = (*config.stages, *config.channels.values(), *config.offers.values())
    return [
        config.business.name,
        config.business.order_name,
        *(one.label for one in labelled),
        *(segment.name for segment in config.limits.segments),
    ]


@pytest.mark.parametrize("preset", PRESETS)
def test_a_chinese_preset_differs_in_words_only(preset: str) -> None:
    text = preset_text(preset, "zh")
    config = parse_config(text.encode(), place=preset, home=Path())
    assert config.business.language == "zh"
    assert [label for label in labels_of(config) if latin_left(label) or label.isascii()] == []
    english = preset_config(preset)
    assert english.business.language == "en"
    assert all(label.isascii() for label in labels_of(english))
    assert [stage.name for stage in config.stages] == [stage.name for stage in english.stages]
    assert list(config.channels) == list(english.channels)
    assert config.feature_spec() == english.feature_spec()


@pytest.mark.parametrize("preset", PRESETS)
def test_every_comment_of_a_preset_is_there_in_chinese(preset: str) -> None:
    comments, chinese = preset_comments(preset_text(preset)), chinese_comments()
    assert len(comments) > 100
    missing = [comment for comment in dict.fromkeys(comments) if comment not in chinese]
    assert missing == [], "add them to pipelines/presets/comments_zh.txt"
    for told in preset_comments(preset_text(preset, "zh")):
        assert re.search(r"[\u4e00-\u9fff]", told), told


def test_no_chinese_comment_is_left_behind() -> None:
    known = {comment for preset in PRESETS for comment in preset_comments(preset_text(preset))}
    assert [comment for comment in chinese_comments() if comment not in known] == []


@pytest.mark.parametrize("preset", PRESETS)
def test_commented_out_keys_are_the_same_in_chinese(preset: str) -> None:
    def keys(text: str) -> list[str]:
        return re.findall(r"(?m)^# (\w+) = \S", text)

    assert keys(preset_text(preset, "zh")) == keys(preset_text(preset))
    assert len(keys(preset_text(preset))) > 10


def test_an_unknown_language_lists_the_known() -> None:
    assert read_language("zh") == "zh"
    with pytest.raises(UsageError, match="one of en, zh"):
        read_language("de")


def test_a_chinese_configuration_is_written_as_utf_8(tmp_path: Path) -> None:
    file = write_config("lending", tmp_path, language="zh")
    assert 'order_name = "贷款"' in file.read_text(encoding="utf-8")


def test_unknown_preset_lists_the_known() -> None:
    with pytest.raises(UsageError, match="one of retail, lending"):
        preset_text("bank")


def test_write_makes_the_folder_and_keeps_what_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "shop" / "deep"
    file = write_config("retail", folder)
    assert file.read_text() == preset_text("retail")
    file.write_text("mine")
    with pytest.raises(UsageError, match="--force"):
        write_config("lending", folder)
    assert file.read_text() == "mine"
    write_config("lending", folder, force=True)
    assert file.read_text() == preset_text("lending")


def test_write_into_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("")
    with pytest.raises(UsageError, match="not a folder"):
        write_config("retail", tmp_path / "shop")
