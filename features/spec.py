"""Which events, channels and attributes the feature matrix is built from."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """Everything besides the data that decides the feature matrix.

    The position of a name in `event_types`, `channels` and of a value in
    `vocabulary` is its integer code in the history arrays.

    Attributes
    ----------
    event_types : all known event types.
    activity : event types that end a customer's silence.
    orders : event types that carry value (positive amounts).
    refunds : event types whose amounts take value back.
    channels : contact channels, in configured order.
    attributes : names of static customer attributes used as categoricals.
    vocabulary : for each attribute, its known values in sorted order; a value
        outside it becomes missing. Learnt at training, fixed afterwards.
    """

    event_types: tuple[str, ...]
    activity: tuple[str, ...]
    orders: tuple[str, ...]
    refunds: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    vocabulary: tuple[tuple[str, ...], ...] = ()

    def flags(self, names: tuple[str, ...]) -> BoolArray:
        """Mark the event types in `names`; shape (n_event_types,)."""
        return np.array([name in names for name in self.event_types], dtype=np.bool_)

    def with_vocabulary(self, vocabulary: tuple[tuple[str, ...], ...]) -> "FeatureSpec":
        """The same specification with the attribute values known at training."""
        return replace(self, vocabulary=vocabulary)

    def digest(self) -> str:
        """Hex SHA-256 of the specification; equal specs give equal digests."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()
