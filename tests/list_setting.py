"""The setting of a small list's files, ready to be changed."""

from datetime import date
from typing import Any

from features.stage import Stage
from scoring.list_readme import ListSetting
from scoring.policy import Channel, Offer

CHANNELS = {
    "email": Channel("e-mail", 0.01),
    "sms": Channel("text message", 0.06),
    "phone": Channel("phone call", 1.5),
}


def small_setting(**changes: Any) -> ListSetting:
    """A shop with three channels; any part may be another."""
    parts: dict[str, Any] = {
        "day": date(2025, 11, 20),
        "business": "Example Shop",
        "currency": "EUR",
        "timezone": "Europe/Berlin",
        "horizon_days": 30.0,
        "language": "en",
        "stages": (Stage("buyer", "has bought", ("order",), ("order",), ("order",), 60.0),),
        "channels": CHANNELS,
        "offers": {"none": Offer("no offer"), "coupon": Offer("5 % coupon")},
        "exports": {},
    }
    return ListSetting(**{**parts, **changes})
