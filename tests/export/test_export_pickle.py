"""Writing pickles: what tests/formats/test_pickle.py does not see."""

from __future__ import annotations

import numpy as np
import pytest
import quantities as pq

from ephyrus.core import Block, Event, Segment
from ephyrus.io import NeuroExplorerIO, PickleIO
from tests.golden import data_path


@pytest.mark.parametrize("protocol", [4, 5])
def test_several_arrays_without_items(tmp_path, protocol):
    """All empty bytes are one object in Python, which is neither written nor read as one."""
    segment = Segment()
    for number in range(3):
        segment.events.append(Event([] * pq.s, labels=[], name=f"none {number}"))
    segment.annotate(empty=b"", none=np.empty(0, "<i2"))
    block = Block(name="empty")
    block.segments.append(segment)
    PickleIO(tmp_path / "b.pkl").write_block(block, protocol=protocol)
    (found,) = PickleIO(tmp_path / "b.pkl").read_block().segments
    assert [event.name for event in found.events] == ["none 0", "none 1", "none 2"]
    assert [event.size for event in found.events] == [0, 0, 0]
    assert found.annotations["empty"] == b""
    assert type(found.annotations["empty"]) is bytes
    assert found.annotations["none"].dtype == np.dtype("<i2")


@pytest.mark.real
@pytest.mark.parametrize("lazy", [False, True])
def test_recording_with_empty_trains(tmp_path, lazy):
    block = NeuroExplorerIO(data_path("neuroexplorer/test.nex")).read_block(lazy=lazy)
    PickleIO(tmp_path / "b.pkl").write_block(block)
    first, second = PickleIO(tmp_path / "b.pkl").read_block().segments
    assert [train.magnitude.tolist() for train in first.spiketrains] == [
        *([1.0, 2.0, 3.0], [5.0, 6.0], [0.5, 1.5, 2.0])
    ]
    assert [train.size for train in second.spiketrains] == [0, 0, 0]
