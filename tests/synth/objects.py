"""Objects in memory, as users make them."""

from __future__ import annotations

from typing import Any

import numpy as np
import quantities as pq

from ephyrus.core import AnalogSignal, Block, Segment


def block_of(*objects: Any, **children: Any) -> Block:
    """Make a block with one segment of the given objects; `children` are lists by name."""
    block, segment = Block(), Segment()
    block.segments.append(segment)
    for obj in objects:
        segment.add(obj)
    for name, others in children.items():
        getattr(segment, name).extend(others)
    return block


def signal_of(values: Any, units: str = "mV", **keywords: Any) -> AnalogSignal:
    """Make a signal, at 1 kHz if nothing else is said."""
    keywords = {"sampling_rate": 1000 * pq.Hz, **keywords}
    return AnalogSignal(np.asarray(values), units=units, **keywords)
