"""BaseIO: dispatch, refusals, logging."""

import logging
from typing import ClassVar

import pytest

import ephyrus
from ephyrus._logging import attach_handler, logging_handler
from ephyrus.core import AnalogSignal, Block, Segment, objectlist
from ephyrus.errors import NeoReadWriteError
from ephyrus.io import BaseIO, ExampleIO
from ephyrus.io.baseio import read_error, write_error


class SegmentsOnly(BaseIO):
    """A hand-written class that reads segments."""

    is_readable = is_writable = True
    readable_objects: ClassVar = [Segment]
    writeable_objects: ClassVar = [Segment]
    name = "segments only"

    def __init__(self, filename=None):
        super().__init__(filename)
        self.written = []

    def read_segment(self, lazy=False, cascade=True):
        return Segment(name=f"lazy={lazy}")

    def write_segment(self, segment):
        self.written.append(segment)


def test_read_wraps_a_segment_in_a_block():
    blocks = SegmentsOnly("x").read(lazy=True)
    assert [block.name for block in blocks] == ["One segment only"]
    assert [segment.name for segment in blocks[0].segments] == ["lazy=True"]
    assert len(SegmentsOnly("x").read(cascade=False)[0].segments) == 0


def test_write_takes_a_block_with_one_segment_a_list_of_one_or_a_segment():
    io, block, segment = SegmentsOnly("x"), Block(), Segment()
    block.segments.append(segment)
    io.write(block)
    io.write([block])
    io.write(segment)
    assert [written is segment for written in io.written] == [True] * 3


def test_write_refuses_what_does_not_fit():
    io, block = SegmentsOnly("x"), Block()
    with pytest.raises(NeoReadWriteError, match="one segment, the block has 0"):
        io.write(block)
    with pytest.raises(NeoReadWriteError, match="2 were given"):
        io.write([block, block])


@pytest.mark.parametrize("kind", objectlist)
def test_unsupported_objects_are_refused_with_the_published_message(kind):
    io = BaseIO("x")
    with pytest.raises(NeoReadWriteError, match=read_error):
        getattr(io, f"read_{kind.__name__.lower()}")()
    with pytest.raises(NeoReadWriteError, match=write_error):
        getattr(io, f"write_{kind.__name__.lower()}")(object())


def test_nothing_readable():
    with pytest.raises(NotImplementedError, match="neither blocks nor segments"):
        BaseIO("x").read()


def test_class_attributes():
    assert BaseIO("x").writable_objects is BaseIO.writeable_objects
    assert ExampleIO.mode == "fake"
    assert ExampleIO.extensions == ["fake"]
    assert ExampleIO.readable_objects == [Block, Segment]
    assert AnalogSignal in ExampleIO.supported_objects
    assert ExampleIO.is_readable
    assert not ExampleIO.is_writable


def test_context_manager_and_repr():
    with ExampleIO("x.fake") as io:
        assert io.read_segment().name == "Seg #0 Block #0"
    assert not io.isopen
    assert repr(io) == "ExampleIO('x.fake')"


def test_logger_has_the_name_of_the_class():
    assert ExampleIO("x.fake").logger.name == "ephyrus.io.exampleio.ExampleIO"


def test_handler_is_attached_only_where_no_logging_is_set_up(monkeypatch):
    root, own = logging.getLogger(), logging.getLogger("ephyrus")
    monkeypatch.setattr(own, "handlers", [])
    monkeypatch.setattr(root, "handlers", [logging.NullHandler()])
    attach_handler()
    assert own.handlers == []
    monkeypatch.setattr(root, "handlers", [])
    attach_handler()
    attach_handler()
    assert own.handlers == [logging_handler]
    assert ephyrus.logging_handler is logging_handler
