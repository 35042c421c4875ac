"""The caution with which gains compete, in words."""

from scoring.language import Language, Text

_ONE = Text("after taking off 1 standard error", "扣除 1 个标准误后")
_MANY = Text("after taking off {caution} standard errors", "扣除 {caution} 个标准误后")


def caution_text(caution: float, *, language: Language) -> str:
    """`after taking off 0.5 standard errors`; see `scoring.policy.NightLimits`."""
    told = _ONE if caution == 1 else _MANY
    return told.say(language, caution=f"{caution:g}")
