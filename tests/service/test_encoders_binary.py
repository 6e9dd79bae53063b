"""npy and raw bodies, ranges of bytes of bodies, and reading that fails."""

import io
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from ephyrus.service.arrays.part import BLOCK_BYTES, ArrayPart
from ephyrus.service.encoders import FORMATS, encode
from ephyrus.service.errors import ServiceError

DTYPES = ["?", "i1", "<u2", ">i2", "<i4", "<f2", "<f4", ">f8", "<i8", "S3"]


def part_of(array, **attributes):
    return ArrayPart(
        "a" * 40, array.dtype, array.shape, lambda start, stop: array[start:stop], attributes
    )


arrays = st.sampled_from(DTYPES).flatmap(
    lambda dtype: npst.arrays(dtype, npst.array_shapes(min_dims=1, max_dims=3, min_side=0))
)


@settings(deadline=None, max_examples=100)
@given(arrays)
def test_npy(array):
    body = encode(part_of(array), "npy")
    data = body.read_all()
    assert body.length == len(data)
    assert b"".join(body.blocks()) == data
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=(1, 0))
    read = np.load(io.BytesIO(data))
    np.testing.assert_array_equal(read, array)
    assert read.dtype == array.dtype
    # NumPy leaves room for a growing first axis: the padding may be longer than ours
    assert (data.index(b"\n") + 1) % 64 == 0
    assert data[data.index(b"\n") + 1 :] == array.tobytes()


@settings(deadline=None, max_examples=100)
@given(arrays)
def test_raw(array):
    body = encode(part_of(array), "raw")
    data = body.read_all()
    assert body.media_type == "application/octet-stream"
    assert body.length == len(data) == array.nbytes
    assert b"".join(body.blocks()) == data
    shape = tuple(int(text) for text in body.headers["X-Array-Shape"].split(","))
    dtype = np.dtype(body.headers["X-Array-Dtype"])
    assert shape == array.shape
    assert dtype == array.dtype.newbyteorder("<")
    np.testing.assert_array_equal(np.frombuffer(data, dtype).reshape(shape), array)


@pytest.mark.parametrize("name", ["hdf5", "npy", "raw"])
@pytest.mark.parametrize("dtype", ["<i2", ">f8"])
@settings(deadline=None, max_examples=60)
@given(edges=st.tuples(st.integers(0, 6000), st.integers(0, 6000)))
def test_any_range_of_bytes(name, dtype, edges):
    array = np.arange(600, dtype=dtype).reshape(-1, 3)
    body = encode(part_of(array, units="mv"), name)
    assert body.seekable
    start, stop = min(edges), max(edges)
    assert b"".join(body.blocks(start, stop)) == body.read_all()[start:stop]
    assert b"".join(body.blocks(start)) == body.read_all()[start:]


def test_a_range_reads_its_own_rows_only():
    array = np.arange(8_000_000, dtype="<i2").reshape(-1, 4)
    asked = []

    def read(start, stop):
        asked.append((start, stop))
        return array[start:stop]

    body = encode(ArrayPart("a" * 40, array.dtype, array.shape, read), "raw")
    assert b"".join(body.blocks(8_000_003, 8_000_029)) == array.tobytes()[8_000_003:8_000_029]
    assert asked == [(1_000_000, 1_000_004)]
    asked.clear()
    sizes = [len(block) for block in body.blocks(9, 3 * BLOCK_BYTES)]
    assert sizes == [BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES - 8]
    assert asked == [(1, 131_073), (131_073, 262_145), (262_145, 393_216)]


@pytest.mark.parametrize("name", ["json", "csv", "arrow", "zarr"])
def test_other_bodies_have_no_ranges(name):
    body = encode(part_of(np.arange(5)), name)
    assert not body.seekable
    assert body.length is None
    with pytest.raises(ValueError, match="no ranges of bytes"):
        body.blocks(1)
    with pytest.raises(ValueError, match="no ranges of bytes"):
        body.blocks(0, 3)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_failures_of_reading_are_raised_in_the_middle(name):
    rows = 400_000

    def read(start, stop):
        if start > 0:
            msg = "the file has been cut"
            raise OSError(msg)
        return np.zeros(stop - start)

    blocks = encode(ArrayPart("a" * 40, np.dtype("<f8"), (rows,), read), name).blocks()
    assert len(next(blocks)) > 0
    with pytest.raises(OSError, match="the file has been cut"):
        list(blocks)


@pytest.mark.parametrize("name", sorted(FORMATS))
@pytest.mark.parametrize(
    "answer", [np.zeros(9), np.zeros(10, "f4"), np.zeros((10, 1)), np.zeros(11)]
)
def test_reading_that_breaks_its_promise_is_no_body(name, answer):
    part = ArrayPart("a" * 40, np.dtype("<f8"), (10,), lambda start, stop: answer)
    with pytest.raises(ValueError, match="reading 10 rows gave"):
        encode(part, name).read_all()
    with pytest.raises(ValueError, match="reading 10 rows gave"):
        list(encode(part, name).blocks())


def test_rows_that_are_not_contiguous_are_sent_in_order():
    array = np.arange(24, dtype="<i4").reshape(4, 6)[:, ::2]
    expected = np.ascontiguousarray(array)
    for name in FORMATS:
        assert encode(part_of(array), name).read_all() == encode(part_of(expected), name).read_all()


def test_formats_that_do_not_exist():
    for name in ("hdf4", "", "HDF5", "json "):
        with pytest.raises(ServiceError, match="use one of hdf5, h5, json, npy, raw") as caught:
            encode(part_of(np.arange(3)), name)
        assert caught.value.status == 400
        assert caught.value.message_type == "wrong_params"
        assert caught.value.details == {"parameter": "format"}


@pytest.mark.parametrize("dtype", ["c16", "g", "U3", "M8[s]", "V4", "O"])
def test_values_that_no_format_holds(dtype):
    with pytest.raises(ServiceError, match="cannot be sent") as caught:
        encode(part_of(np.empty(3, dtype)))
    assert caught.value.message_type == "non_convertible"
    assert caught.value.status == 400


def test_indices_make_pairs():
    array = np.array([1, -2, 3], dtype="<i2")
    body = encode(part_of(array), "npy", indices=np.array([0, 7, 2**40]))
    np.testing.assert_array_equal(
        np.load(io.BytesIO(body.read_all())), [[0.0, 1.0], [7.0, -2.0], [2.0**40, 3.0]]
    )
    wide = np.arange(6, dtype="f4").reshape(3, 2)
    rows = np.load(io.BytesIO(encode(part_of(wide), "npy", indices=np.array([5, 6, 7])).read_all()))
    np.testing.assert_array_equal(rows[..., 0], [[5, 5], [6, 6], [7, 7]])
    np.testing.assert_array_equal(rows[..., 1], wide)
    own = np.array([[0, 1], [2, 4], [5, 9]])
    each = np.load(io.BytesIO(encode(part_of(wide), "npy", indices=own).read_all()))
    np.testing.assert_array_equal(each[..., 0], own)
    np.testing.assert_array_equal(each[..., 1], wide)
    for name in ("npy", "csv", "arrow"):
        with pytest.raises(ValueError, match="go neither with rows nor values"):
            encode(part_of(wide), name, indices=np.arange(2)).read_all()


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_memory_does_not_grow_with_the_array(name):
    """Of an array of 40 MB no more than some blocks are ever in memory."""
    dtype = np.dtype("<i2")
    shape = (5_000_000, 4) if name not in {"json", "csv"} else (1_500_000, 4)
    part = ArrayPart(
        "a" * 40, dtype, shape, lambda start, stop: np.full((stop - start, 4), 1234, dtype)
    )
    body = encode(part, name)
    list(body.blocks(0, 100) if body.seekable else encode(part_of(np.arange(3)), name).blocks())
    tracemalloc.start()
    try:
        size = sum(len(block) for block in body.blocks())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size >= part.nbytes
    assert peak < 8 * BLOCK_BYTES
