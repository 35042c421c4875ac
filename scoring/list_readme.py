"""The read-me sheet: what a reader of the workbook must know before using it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import pyarrow as pa
import pyarrow.compute as pc

from features.stage import Stage
from scoring import readme_words as words
from scoring.arms import SENT_ARMS
from scoring.code_words import (
    ARM_WORDS,
    EVIDENCE_WORDS,
    LIFE_CYCLE_WORDS,
    PROMOTION_WORDS,
    SEND_BASIS_WORDS,
    CodeWords,
)
from scoring.column_words import COLUMN_WORDS, ColumnWords
from scoring.export_plan import Export
from scoring.language import Language, Text, number_text
from scoring.policy import Channel, Offer
from scoring.sheet_rows import LONGEST_CELL
from scoring.warning_words import WARNING_COLUMN_WORDS, WARNING_REASON_WORDS
from scoring.workbook import Line, TextSheet

_WIDTHS = (34, 34, 90)
_BLANK = Line(())


@dataclass(frozen=True, slots=True)
class ListSetting:
    """What the files of a list take from the configuration.

    Attributes
    ----------
    day : the list's local date.
    business, currency : whose list it is, and what its money is in.
    timezone : IANA zone of the business, whose midnight begins a list's date.
    horizon_days : days within which a return counts.
    language : of headers and of the read-me.
    exports : forms of CSV files, by channel or "list".
    """

    day: date
    business: str
    currency: str
    timezone: str
    horizon_days: float
    language: Language
    stages: tuple[Stage, ...]
    channels: Mapping[str, Channel]
    offers: Mapping[str, Offer]
    exports: Mapping[str, Export]

    def say(self, text: Text, /, **parts: str) -> str:
        """A text in the list's language."""
        return text.say(self.language, **parts)

    def count(self, number: int) -> str:
        """A number in the list's language."""
        return number_text(number, language=self.language)


def readme_sheet(
    table: pa.Table, setting: ListSetting, *, max_rows: int, has_warnings: bool
) -> TextSheet:
    """What each sheet and column means, how to use the list and how to feed back.

    Parameters
    ----------
    table : the list.
    max_rows : most rows of a sheet.
    has_warnings : whether there is a sheet of early warnings.
    """
    say = setting.say
    title = say(words.TITLE, day=setting.day.isoformat(), business=setting.business)
    lines = [
        Line((title,), is_heading=True),
        *_about(table, setting),
        *_section(say(words.HOW_TO_USE), _numbered(words.STEPS, setting)),
        *_section(say(words.FEED_BACK), _numbered(words.FEED_BACK_STEPS, setting)),
        *_section(say(words.EVIDENCE), _evidence(table, setting)),
        *_codes(say(words.ARMS), ARM_WORDS, setting),
        *_section(say(words.SHEETS), _sheets(setting, has_warnings=has_warnings)),
        *_section(say(words.STAGES), [(stage.name, stage.label) for stage in setting.stages]),
        *_section(say(words.CHANNELS), [(k, item.label) for k, item in setting.channels.items()]),
        *_section(say(words.OFFERS), [(k, item.label) for k, item in setting.offers.items()]),
        *_codes(say(words.LIFE_CYCLES), LIFE_CYCLE_WORDS, setting),
        *_codes(say(words.PROMOTIONS), PROMOTION_WORDS, setting),
        *_codes(say(words.SEND_BASES), SEND_BASIS_WORDS, setting),
        *_columns(setting, say(words.COLUMNS), COLUMN_WORDS),
        Line((say(words.SEND_BEFORE_LOCAL), "", say(words.MEANING_OF_SEND_BEFORE))),
        *(_warnings(setting) if has_warnings else ()),
        *_section(
            say(words.LIMITS),
            [
                (say(note, rows=setting.count(max_rows), signs=setting.count(LONGEST_CELL)),)
                for note in words.LIMIT_NOTES
            ],
        ),
    ]
    return TextSheet(say(words.READ_ME), tuple(lines), widths=_WIDTHS)


def _section(heading: str, rows: list[tuple[str, ...]]) -> Iterator[Line]:
    yield _BLANK
    yield Line((heading,), is_heading=True)
    for row in rows:
        # A sentence needs the width of the last column.
        yield Line(("", "", *row) if len(row) == 1 else row)


def _codes(heading: str, codes: Mapping[str, CodeWords], setting: ListSetting) -> Iterator[Line]:
    rows = [
        (code, setting.say(known.name), setting.say(known.meaning)) for code, known in codes.items()
    ]
    yield from _section(heading, [*rows])


def _numbered(steps: tuple[Text, ...], setting: ListSetting) -> list[tuple[str, ...]]:
    return [(f"{number}. {setting.say(step)}",) for number, step in enumerate(steps, start=1)]


def _about(table: pa.Table, setting: ListSetting) -> Iterator[Line]:
    def about(key: str, text: str) -> Line:
        return Line((setting.say(words.ABOUT[key]), text))

    yield about("currency", setting.currency)
    if not table.num_rows:
        yield Line((setting.say(words.NOBODY),))
        return
    first = table.slice(0, 1).to_pylist()[0]
    sent = pc.is_in(table["arm"], value_set=pa.array(SENT_ARMS, pa.string()))
    n_sent = pc.sum(sent).as_py() or 0
    counts = {"listed": table.num_rows, "sent": n_sent, "controls": table.num_rows - n_sent}
    yield about("list", first["list_id"])
    yield about("as_of", _moment(first["as_of"], setting))
    yield about("expires", _moment(pc.max(table["expires_at"]).as_py(), setting))
    told = {name: setting.count(number) for name, number in counts.items()}
    yield about("rows", setting.say(words.ROW_COUNTS, **told))
    yield about("models", first["model_version"])
    yield about("config", first["config_hash"])


def _moment(moment: datetime, setting: ListSetting) -> str:
    return setting.say(words.UTC_TIME, moment=moment.strftime("%Y-%m-%d %H:%M"))


def _evidence(table: pa.Table, setting: ListSetting) -> list[tuple[str, ...]]:
    rows = {
        item["values"]: item["counts"] for item in pc.value_counts(table["evidence"]).to_pylist()
    }
    return [
        (
            code,
            setting.say(known.name),
            setting.say(
                words.EVIDENCE_ROWS,
                rows=setting.count(rows.get(code, 0)),
                meaning=setting.say(known.meaning),
            ),
        )
        for code, known in EVIDENCE_WORDS.items()
    ]


def _sheets(setting: ListSetting, *, has_warnings: bool) -> list[tuple[str, ...]]:
    say = setting.say
    rows: list[tuple[str, ...]] = [(say(words.WHOLE_LIST), "", say(words.SHEET_OF_LIST))]
    for name, channel in setting.channels.items():
        meaning = say(words.SHEET_OF_CHANNEL, channel=channel.label)
        rows.append((channel.label, name, meaning))
    if has_warnings:
        rows.append((say(words.EARLY_WARNINGS), "", say(words.SHEET_OF_WARNINGS)))
    return rows


def _columns(
    setting: ListSetting, heading: str, columns: Mapping[str, ColumnWords]
) -> Iterator[Line]:
    yield _BLANK
    yield Line((heading,), is_heading=True)
    yield Line(tuple(setting.say(head) for head in words.COLUMN_HEADS), is_heading=True)
    for name, known in columns.items():
        days = f"{setting.horizon_days:g}"
        yield Line((setting.say(known.header), name, setting.say(known.meaning, days=days)))


def _warnings(setting: ListSetting) -> Iterator[Line]:
    heading = setting.say(words.COLUMNS_OF_WARNINGS)
    yield from _columns(setting, heading, WARNING_COLUMN_WORDS)
    for code, known in WARNING_REASON_WORDS.items():
        yield Line((setting.say(known.name), code, setting.say(known.meaning)))
