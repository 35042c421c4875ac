"""How untidy a company's deliveries are."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dirt:
    """Shares of rows, or of customers, that real life has spoilt.

    Attributes
    ----------
    twice_share : events delivered a second time, up to six hours later.
    late_share : events that arrive hours to days late instead of within minutes.
    late_hours : mean delay of the late ones.
    misspelt_share : events whose type is spelt as nobody has agreed on.
    guest_share : customers whose first events stand under another id, before two accounts
        were merged and only one was kept.
    odd_zone_share : record versions whose time zone is no name of a zone.
    lost_share : contacts that the sending tool has no record of.
    repeated_share : contacts that it reports twice, the second time in full.
    foreign_rate : chance per night that another tool sends its newsletter, whatever was
        assigned; matters only where campaigns decide.
    """

    twice_share: float = 0.002
    late_share: float = 0.015
    late_hours: float = 16.0
    misspelt_share: float = 0.0
    guest_share: float = 0.0
    odd_zone_share: float = 0.0
    lost_share: float = 0.0
    repeated_share: float = 0.0
    foreign_rate: float = 0.0


REAL_LIFE = Dirt(
    twice_share=0.01,
    late_share=0.05,
    late_hours=40.0,
    misspelt_share=0.0005,
    guest_share=0.03,
    odd_zone_share=0.004,
    lost_share=0.01,
    repeated_share=0.02,
    foreign_rate=0.0005,
)
"""What `winback simulate --dirt` gives; few enough bad rows for an ingestion to go on."""
