"""Rows that are longer than what is held of a body in memory."""

from __future__ import annotations

import numpy as np
import pytest

from ephyrus.service.errors import ServiceError
from ephyrus.service.files import rows
from ephyrus.service.files.rows import RowSink, Shape
from ephyrus.service.files.store import FolderStore

SHAPE = Shape(np.dtype("<f8"), (512,))


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "HELD", 512)
    return FolderStore(tmp_path)


def fed(store, data):
    """Give a sink that took data in pieces which end within values."""
    sink = RowSink(store, SHAPE)
    for start in range(0, len(data), 99):
        sink.write(data[start : start + 99])
    return sink


def test_a_part_of_a_row_goes_to_the_store(store):
    values = np.arange(3 * 512.0).reshape(3, 512)
    data = values.tobytes()
    sink = fed(store, data[:1000])  # not even one row
    (file,) = store.unfinished.iterdir()
    assert file.stat().st_size >= 1000 - 512
    sink.write(data[1000:])
    found = sink.finish()
    assert (found.count, found.data, found.piece.rows) == (3, None, 3)
    source = store.source(found.piece.key)
    try:
        assert source.read_at(0, source.size) == data
    finally:
        source.close()


@pytest.mark.parametrize(("size", "over"), [(1000, 1000), (3 * 4096 + 8, 8), (4096 + 5, 5)])
def test_a_row_that_is_cut_is_refused(store, size, over):
    sink = fed(store, bytes(size))
    with pytest.raises(ServiceError, match=f"ends {over} bytes behind") as caught:
        sink.finish()
    assert caught.value.message_type == "data_inconsistency"
    sink.discard()
    assert list(store.keys()) == []
    assert list(store.unfinished.iterdir()) == []
