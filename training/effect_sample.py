"""What effects of contact are learnt from: assignments with the outcomes that matured."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]
Int16Array = NDArray[np.int16]
Int8Array = NDArray[np.int8]
UInt64Array = NDArray[np.uint64]

NO_CONTACT = -1
"""The action code of those assigned to no contact."""

_NAMES = ("feature_names", "actions")


@dataclass(frozen=True, slots=True)
class EffectSample:
    """One row per assignment, by intention to treat: what was assigned, not what was sent.

    Attributes
    ----------
    x : features of the effect at the assignment, shape (n, F).
    feature_names : names of the columns of `x`.
    log_odds0 : logit of the natural-return probability at the assignment, shape (n,).
    order_value : money a return was expected to be worth before margin, shape (n,).
    action : assigned action, `NO_CONTACT` for controls, else a place in `actions`; (n,).
    propensity : probability with which that action was assigned, in (0, 1], shape (n,).
    returned : whether the customer came back in the outcome window, shape (n,).
    profit : money earned in that window, contact and offer paid, shape (n,).
    left : whether the contact ended with the customer leaving the channel, shape (n,).
    cluster : hash of the customer's id, shape (n,).
    as_of_us : instant of the assignment, us, UTC, shape (n,).
    actions : names such as "sms/none" in configured order, "no contact" left out.
    """

    x: Float64Array
    feature_names: tuple[str, ...]
    log_odds0: Float64Array
    order_value: Float64Array
    action: Int16Array
    propensity: Float64Array
    returned: Int8Array
    profit: Float64Array
    left: Int8Array
    cluster: UInt64Array
    as_of_us: Int64Array
    actions: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.action)

    @property
    def treated(self) -> NDArray[np.bool_]:
        """Rows assigned to a contact, shape (n,)."""
        return np.asarray(self.action != NO_CONTACT)

    def take(self, rows: NDArray[Any]) -> "EffectSample":
        """The chosen rows, by mask or position."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _row_fields()})


def concat_samples(pieces: Sequence[EffectSample]) -> EffectSample:
    """Rows of several samples of the same features and actions, one after the other."""
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(piece, name) for piece in pieces]) for name in _row_fields()
    }
    return replace(pieces[0], **joined)


def _row_fields() -> list[str]:
    return [field.name for field in fields(EffectSample) if field.name not in _NAMES]
