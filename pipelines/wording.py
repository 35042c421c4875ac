"""How a business speaks: language, labels, its word for an order and its money."""

from pipelines.config import Config
from scoring.reasons import Wording


def wording_of(config: Config) -> Wording:
    """What the configuration says about the words of reasons."""
    business = config.business
    return Wording(
        language=business.language,
        channel_labels={name: channel.label for name, channel in config.channels.items()},
        order_name=business.order_name,
        currency=business.currency,
    )
