"""Who the simulated customers are: what is known of them, and latents all worlds share."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv, ndtri

from pipelines.simulate.clock import DAY, HOUR
from pipelines.simulate.draws import population_uniforms
from pipelines.simulate.usual import DO_NOT_CONTACT

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CITY_TIERS = ("large", "middle", "small", "rural")
AGE_BANDS = ("18-24", "25-34", "35-44", "45-54", "55+")
ACQUISITION = ("organic", "search", "social", "referral", "affiliate")
DEVICES = ("android", "ios", "web")
_STREAMS = 32
KEENNESS = np.array([0.25, 0.10, -0.35, 0.35, -0.30])
"""How much likelier than average a customer of each acquisition channel is to stay (log)."""


@dataclass(frozen=True, slots=True)
class People:
    """Customers first .. first + n - 1; every array has shape (n,), `noise` (n, spare).

    Attributes
    ----------
    zone, city, age, acquisition, device : codes in the world's zones and the lists above.
    zone_known : whether the customer's record names the zone.
    flags : bit 0 do_not_contact, then the preset's flags in configured order.
    signup_day, signup_second : local.
    hour : usual hour of the day; `weekend` factor on Saturdays and Sundays.
    rate_z, stay_z, spend_z : correlated standard normals (copula) behind the latents.
    temper : shifts the effect of every contact. interest : in (0, 1), opens and clicks.
    noise : uniforms left for the world's own latents.
    """

    first: int
    zone: Ints
    zone_known: NDArray[np.bool_]
    city: Ints
    age: Ints
    acquisition: Ints
    device: Ints
    flags: Ints
    signup_day: Ints
    signup_second: Ints
    hour: Floats
    weekend: Floats
    rate_z: Floats
    stay_z: Floats
    spend_z: Floats
    temper: Floats
    interest: Floats
    noise: Floats

    def __len__(self) -> int:
        return len(self.zone)


def quantile_codes(uniforms: Floats, shares: tuple[float, ...]) -> Ints:
    """Codes 0 .. len(shares) - 1 in these shares."""
    bounds = np.cumsum(shares)[:-1] / sum(shares)
    return np.searchsorted(bounds, uniforms, side="right").astype(np.int64)


def gamma_quantile(uniforms: Floats, *, shape: float, mean: float) -> Floats:
    """Gamma numbers with this shape and mean, by inversion."""
    return np.asarray(gammaincinv(shape, uniforms) * (mean / shape), dtype=np.float64)


def gather_people(
    seed: int,
    *,
    first: int,
    count: int,
    days: int,
    zone_shares: tuple[float, ...],
    flag_names: tuple[str, ...],
    early_share: float,
) -> People:
    """Draw customers `first` .. `first + count - 1`.

    Parameters
    ----------
    early_share : share of customers who sign up in the first quarter of the `days`.
    """
    u = population_uniforms(seed, first, count, _STREAMS)
    z = ndtri(u[:, :6])
    acquisition = quantile_codes(u[:, 6], (0.34, 0.24, 0.2, 0.12, 0.1))
    keen = KEENNESS[acquisition]
    early = u[:, 7] < early_share
    signup_day = np.where(early, u[:, 8] * days / 4, u[:, 8] * days).astype(np.int64)
    hour_kind = quantile_codes(u[:, 9], (0.2, 0.3, 0.5))
    device = quantile_codes(u[:, 10], (0.45, 0.3, 0.25))
    return People(
        first=first,
        zone=quantile_codes(u[:, 11], zone_shares),
        zone_known=u[:, 12] > 0.03,
        city=quantile_codes(u[:, 13], (0.35, 0.3, 0.22, 0.13)),
        age=quantile_codes(u[:, 14], (0.15, 0.3, 0.25, 0.18, 0.12)),
        acquisition=acquisition,
        device=device,
        flags=_draw_flags(u[:, 15:24], device, flag_names),
        signup_day=signup_day,
        signup_second=(8 * HOUR + u[:, 24] * (DAY - 11 * HOUR)).astype(np.int64),
        hour=np.array([8.0, 12.5, 20.0])[hour_kind] + z[:, 3],
        weekend=np.exp(0.35 * z[:, 4]),
        rate_z=z[:, 0],
        stay_z=0.35 * z[:, 0] + np.sqrt(1 - 0.35**2) * z[:, 1] + keen,
        spend_z=0.2 * z[:, 0] + np.sqrt(1 - 0.2**2) * z[:, 2],
        temper=z[:, 5],
        interest=u[:, 25],
        noise=np.ascontiguousarray(u[:, 26:]),
    )


def _draw_flags(u: Floats, device: Ints, names: tuple[str, ...]) -> Ints:
    """Flags as bits. App users are those on a phone; consents depend on having the means."""
    app = (device < 2) & (u[:, 0] < 0.8)
    has_phone = u[:, 1] < 0.85
    has_email = u[:, 2] < 0.9
    facts = {
        "app_installed": app,
        "push_consent": app & (u[:, 3] < 0.7),
        "phone_valid": has_phone,
        "sms_consent": has_phone & (u[:, 4] < 0.6),
        "phone_consent": has_phone & (u[:, 5] < 0.4),
        "email_valid": has_email,
        "email_consent": has_email & (u[:, 6] < 0.7),
    }
    flags = np.where(u[:, 7] < 0.01, DO_NOT_CONTACT, 0).astype(np.int64)
    for bit, name in enumerate(names, start=1):
        flags |= facts[name].astype(np.int64) << bit
    return flags
