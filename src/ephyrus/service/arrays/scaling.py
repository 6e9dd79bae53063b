"""How stored numbers of a recording become physical values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.recording.scale import scaled

__all__ = ["Scaling"]

Channels = Sequence[int] | NDArray[np.intp] | slice | None


@dataclass(frozen=True, slots=True)
class Scaling:
    """How stored numbers become physical ones; the usual case of one factor is kept ready."""

    gain: NDArray[np.float64]
    offset: NDArray[np.float64]
    dtype: np.dtype[Any]
    factor: Any  # the one factor of all channels, or None

    @classmethod
    def of(cls, gain: NDArray[np.float64], offset: NDArray[np.float64], dtype: Any) -> Scaling:
        """Take the factors of channels."""
        is_one = gain.size > 0 and bool(np.all(gain == gain.flat[0])) and not np.any(offset)
        return cls(gain, offset, dtype, dtype.type(gain.flat[0]) if is_one else None)

    @property
    def is_identity(self) -> bool:
        """The stored numbers are the physical ones."""
        return self.factor is not None and self.factor == 1

    def into(self, raw: NDArray[Any], out: NDArray[Any], channels: Channels) -> None:
        """Scale `raw` into `out`."""
        if self.factor is not None and self.factor != 1:
            np.multiply(raw, self.factor, out=out, dtype=self.dtype, casting="unsafe")
        elif self.factor is not None:
            np.copyto(out, raw, casting="unsafe")
        else:
            picked: Any = slice(None) if channels is None else channels
            scaled(raw, self.gain[picked], self.offset[picked], dtype=self.dtype, out=out)
