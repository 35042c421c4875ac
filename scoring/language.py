"""What is said to readers, in each language there is, and how numbers look in it.

A text is a `Text`: all its languages side by side, so that none can be forgotten. Texts
stand in catalogues next to their users (`*_words.py`). See docs/adr/0010-languages.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Language = Literal["en", "zh"]
"""English or Chinese (simplified characters)."""

LANGUAGES: tuple[Language, ...] = get_args(Language)

_GROUP_MARK: dict[Language, str] = {"en": "\u202f", "zh": ","}
"""English: narrow and never broken, so that 1 234 stays one number wherever it is shown."""


@dataclass(frozen=True, slots=True)
class Text:
    """One text in every language, with the same `{placeholders}` in each."""

    en: str
    zh: str

    def say(self, language: Language, /, **parts: str) -> str:
        """The text, its placeholders filled in.

        Parameters
        ----------
        parts : ready texts, numbers as `number_text` and its like give them.
        """
        text: str = getattr(self, language)
        return text.format(**parts)


@dataclass(frozen=True, slots=True)
class Noun:
    """Something that is counted.

    Attributes
    ----------
    one, many : English singular and plural.
    zh : Chinese with its measure word before it, as it follows the number.
    """

    one: str
    many: str
    zh: str

    def count(self, number: int, language: Language) -> str:
        """`1 day`, `94 days`; `94天`."""
        told = number_text(number, language=language)
        if language == "zh":
            return f"{told}{self.zh}"
        return f"{told} {self.one if number == 1 else self.many}"


def number_text(number: float, *, language: Language, decimals: int = 0) -> str:
    """A number with its thousands set apart: 1 234.50 in English, 1,234.50 in Chinese.

    What rounds to nothing has no sign.
    """
    return f"{number:z,.{decimals}f}".replace(",", _GROUP_MARK[language])


def money_text(amount: float, currency: str, *, language: Language) -> str:
    """Whole units from ten on, two decimals below; `1 340 EUR`, in Chinese `1,340 EUR`.

    Parameters
    ----------
    currency : ISO 4217 code; yuan are called by their own word in Chinese.
    """
    told = number_text(amount, language=language, decimals=0 if abs(amount) >= 10 else 2)
    if language == "zh" and currency == "CNY":
        return f"{told}元"
    return f"{told} {currency}"


def percent_text(share: float, *, language: Language, decimals: int = 0) -> str:
    """A share in percent: `12 %` in English, `12%` in Chinese."""
    space = "" if language == "zh" else " "
    return f"{number_text(100 * share, language=language, decimals=decimals)}{space}%"


def join_texts(parts: Sequence[str], *, language: Language) -> str:
    """All of them: `push, e-mail and phone`; `推送、邮件、电话`."""
    if language == "zh":
        return "、".join(parts)
    return " and ".join([part for part in (", ".join(parts[:-1]), *parts[-1:]) if part])


def list_texts(parts: Sequence[str], *, language: Language) -> str:
    """One after the other: `push, e-mail`; `推送、邮件`."""
    return ("、" if language == "zh" else ", ").join(parts)


def join_clauses(clauses: Sequence[str], *, language: Language) -> str:
    """Clauses of one sentence: `silent for 94 days, usually orders every 21`."""
    return ("，" if language == "zh" else ", ").join(clauses)


def list_clauses(clauses: Sequence[str], *, language: Language) -> str:
    """One after the other, where they hold commas themselves."""
    return ("；" if language == "zh" else "; ").join(clauses)
