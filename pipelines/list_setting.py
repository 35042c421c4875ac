"""What the files of a list take from the configuration."""

from datetime import date

from pipelines.config import Config
from scoring.list_readme import ListSetting


def list_setting(config: Config, day: date) -> ListSetting:
    """The setting of the files of one day's list."""
    return ListSetting(
        day=day,
        business=config.business.name,
        currency=config.business.currency,
        timezone=config.business.timezone,
        horizon_days=config.windows.horizon_days,
        language=config.business.language,
        stages=config.stages,
        channels=config.channels,
        offers=config.offers,
        exports=config.exports,
    )
