"""Presets: a commented winback.toml to start from."""

from importlib import resources
from pathlib import Path

from features.errors import UsageError, describe
from pipelines.config import CONFIG_NAME, Config, parse_config
from pipelines.preset_language import translate_preset
from scoring.language import LANGUAGES, Language

PRESETS = ("retail", "lending")


def preset_text(preset: str, language: Language = "en") -> str:
    """The preset's winback.toml as text.

    Parameters
    ----------
    language : of what people read in it: comments, names, labels, the noun for an order.

    Raises
    ------
    UsageError : there is no such preset; the text names those there are.
    """
    if preset not in PRESETS:
        raise UsageError(
            describe(
                f"--preset {preset}",
                "no such preset",
                expected=f"one of {', '.join(PRESETS)}",
                fix=f"for example --preset {PRESETS[0]}",
            )
        )
    text = (resources.files("pipelines.presets") / f"{preset}.toml").read_text(encoding="utf-8")
    return translate_preset(text, language)


def read_language(text: str) -> Language:
    """The language that an option names.

    Raises
    ------
    UsageError : there is no such language; the text names those there are.
    """
    for language in LANGUAGES:
        if text == language:
            return language
    raise UsageError(
        describe(
            f"--language {text}",
            "no such language",
            expected=f"one of {', '.join(LANGUAGES)}",
            fix=f"for example --language {LANGUAGES[-1]}",
        )
    )


def preset_config(preset: str, *, home: Path | None = None) -> Config:
    """The preset as a configuration, as if its file lay in `home` (default: here)."""
    text = preset_text(preset)
    return parse_config(text.encode(), place=f"preset {preset}", home=home or Path())


def write_config(
    preset: str, folder: Path, *, language: Language = "en", force: bool = False
) -> Path:
    """Write the preset's winback.toml into a folder, which is made if need be.

    Raises
    ------
    UsageError : unknown preset, or the file is there and `force` is not set.
    """
    text = preset_text(preset, language)
    file = folder / CONFIG_NAME
    if file.exists() and not force:
        raise UsageError(
            describe(
                str(file),
                "the file exists and may hold your settings",
                expected="a folder without winback.toml",
                fix="choose another folder, or pass --force to overwrite it",
            )
        )
    if folder.exists() and not folder.is_dir():
        raise UsageError(
            describe(str(folder), "not a folder", expected="a folder", fix="choose another place")
        )
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file
