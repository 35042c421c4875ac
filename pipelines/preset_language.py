"""A preset for readers of another language: its labels and its comments."""

import re
from collections.abc import Iterator
from importlib import resources
from unicodedata import east_asian_width

from pipelines.presets.preset_words import PRESET_WORDS
from scoring.language import Language

_WORDS_READ = re.compile(r'^((?:name|label|order_name) = )"([^"]*)"( *)', re.MULTILINE)
_KEY_COMMENTED_OUT = re.compile(r"# (\[|\w+(, \w+)*\s+(=|#))")
_TRAILING = re.compile(r"""^((?:[^"'#]|"(?:\\.|[^"\\])*"|'[^']*')+?\s)# (.+)$""")


def translate_preset(text: str, language: Language) -> str:
    """The preset in a language; keys and values that are no words stay as they are.

    Parameters
    ----------
    text : a preset's winback.toml, in English.
    """
    if language == "en":
        return text
    words = {word.en: word.say(language) for word in PRESET_WORDS}

    def translate(found: re.Match[str]) -> str:
        word = words.get(found[2], found[2])
        # Comments stay in their column: a Chinese sign is as wide as two letters.
        blanks = len(found[2]) + len(found[3]) - _width(word)
        return f'{found[1]}"{word}"{" " * max(blanks, 1) if found[3] else ""}'

    told = _WORDS_READ.sub(translate, text)
    told = told.replace('language = "en"', f'language = "{language}"', 1)
    return _translate_comments(told, chinese_comments())


def _width(word: str) -> int:
    return sum(2 if east_asian_width(sign) in "WF" else 1 for sign in word)


def chinese_comments() -> dict[str, str]:
    """Chinese of each comment of the presets, perhaps of several lines, by its English."""
    file = resources.files("pipelines.presets") / "comments_zh.txt"
    pairs = file.read_text(encoding="utf-8").strip().split("\n\n")
    return dict(pair.split("\n", 1) for pair in pairs)


def preset_comments(text: str) -> list[str]:
    """A preset's comments, the lines of a paragraph joined by blanks."""
    return [comment for comment, _, _ in _commented(text) if comment]


def _translate_comments(text: str, chinese: dict[str, str]) -> str:
    """Comments that have no translation yet stay as they are."""
    lines: list[str] = []
    for comment, before, raw in _commented(text):
        told = chinese.get(comment)
        lines += raw if told is None else [f"{before}# {line}" for line in told.split("\n")]
    return "\n".join(lines)


def _commented(text: str) -> Iterator[tuple[str, str, list[str]]]:
    """Each comment, what stands before it on its line, and its raw lines; "" for no comment."""
    paragraph: list[str] = []
    for line in text.split("\n"):
        if line.startswith("# ") and not _KEY_COMMENTED_OUT.match(line):
            paragraph.append(line)
            continue
        if paragraph:
            yield " ".join(part.removeprefix("# ") for part in paragraph), "", paragraph
            paragraph = []
        mark = "# " if _KEY_COMMENTED_OUT.match(line) else ""
        found = _TRAILING.match(line.removeprefix(mark))
        if found:
            yield found[2], mark + found[1], [line]
        else:
            yield "", "", [line]
    if paragraph:
        yield " ".join(part.removeprefix("# ") for part in paragraph), "", paragraph
