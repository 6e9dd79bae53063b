"""Tools that work on whole segments and blocks: find events, make epochs, cut trials.

>>> import quantities as pq
>>> from ephyrus.core import Block, Event, Segment, SpikeTrain
>>> from ephyrus.utils import add_epoch, cut_block_by_epochs
>>> segment = Segment(name="session")
>>> segment.spiketrains.append(SpikeTrain([0.9, 1.1, 2.3, 4.2], 5.0, units="s"))
>>> go = Event([1, 4] * pq.s, labels=["go 1", "go 2"], array_annotations={"trial": [1, 2]})
>>> epochs = add_epoch(segment, go, pre=-0.5 * pq.s, post=0.5 * pq.s, name="around go")
>>> block = Block()
>>> block.segments.append(segment)
>>> trials = cut_block_by_epochs(block, {"name": "around go"}, reset_time=True)
>>> [(trial.annotations["trial"], len(trial.spiketrains[0])) for trial in trials.segments]
[(1, 2), (2, 1)]
"""

from __future__ import annotations

from ephyrus.utils.compatibility import is_block_rawio_compatible
from ephyrus.utils.cutting import cut_block_by_epochs, cut_segment_by_epoch
from ephyrus.utils.epochs import add_epoch, match_events
from ephyrus.utils.selection import get_epochs, get_events

__all__ = [
    "add_epoch",
    "cut_block_by_epochs",
    "cut_segment_by_epoch",
    "get_epochs",
    "get_events",
    "is_block_rawio_compatible",
    "match_events",
]
