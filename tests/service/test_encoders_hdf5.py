"""HDF5 bodies: what h5py reads from them is what was sent."""

import base64
import io
import pickle
import shutil
import subprocess
import sys
from itertools import pairwise

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from ephyrus.service.arrays.part import BLOCK_BYTES, ArrayPart
from ephyrus.service.encoders import encode
from ephyrus.service.encoders.hdf5_head import hdf5_head
from ephyrus.service.errors import ServiceError

GUID = "0123456789abcdef0123456789abcdef01234567"
ATTRIBUTES = {
    "units": "mv",
    "t_start": 50,
    "t_start_units": "ms",
    "sampling_rate": 20000.0,
    "sampling_rate_units": "hz",
    "permalink": "/electrophysiology/analogsignal/11",
    "field": "signal",
    "start_index": 1000,
    "end_index": 3001,
    "downsample": 20,
    "kind": None,
}
# reads each file that is named on a line; answers with what it holds
READER = """
import base64, pickle, sys, h5py
for line in sys.stdin:
    with h5py.File(line.rstrip("\\n"), "r") as root:
        found = {}
        for name, dataset in root.items():
            text = h5py.check_string_dtype(dataset.dtype)
            facts = dict(dataset.attrs), dataset.chunks, text and tuple(text)
            found[name] = (dataset[()], *facts, dataset.dtype.str)
    print(base64.b64encode(pickle.dumps(found)).decode(), flush=True)
"""


def part_of(array, name=GUID, attributes=None):
    return ArrayPart(
        name, array.dtype, array.shape, lambda start, stop: array[start:stop], attributes or {}
    )


def opened(body):
    return h5py.File(io.BytesIO(body.read_all()), "r")


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A process of its own that reads HDF5: damage would end it, and not the tests."""
    path = tmp_path_factory.mktemp("hdf5") / "body.h5"
    with subprocess.Popen(
        [sys.executable, "-c", READER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:

        def read(data):
            path.write_bytes(data)
            child.stdin.write(f"{path}\n")
            child.stdin.flush()
            return pickle.loads(base64.b64decode(child.stdout.readline()))

        yield read
        child.stdin.close()


def test_the_documented_body(reader):
    signal = np.arange(1000, 3001, dtype="<i2")
    body = encode(part_of(signal, attributes=ATTRIBUTES))
    assert body.media_type == "application/x-hdf"
    assert body.extension == ".h5"
    data = body.read_all()
    assert body.length == len(data)
    found = reader(data)
    assert list(found) == [GUID]
    values, attributes, chunks, _text, _dtype = found[GUID]
    np.testing.assert_array_equal(values, signal)
    assert values.dtype == np.dtype("<i2")
    assert chunks is None
    assert attributes == {key: value for key, value in ATTRIBUTES.items() if value is not None}
    assert type(attributes["units"]) is str
    assert attributes["t_start"].dtype == np.int64
    assert attributes["sampling_rate"].dtype == np.float64


def test_h5_is_another_name_of_hdf5():
    signal = np.arange(5.0)
    assert encode(part_of(signal), "h5").read_all() == encode(part_of(signal)).read_all()


DTYPES = [
    "?", "i1", "u1", "<i2", ">i2", "<u2", "<i4", ">u4", "<i8", ">i8", "<u8", "<f2", "<f4", ">f4",
    "<f8", ">f8",
]  # fmt: skip
numeric_arrays = st.sampled_from(DTYPES).flatmap(
    lambda dtype: npst.arrays(
        dtype, npst.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=6)
    )
)
names = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=300)
values = (
    st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
    | st.none()
)
attribute_names = st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20
)


@settings(deadline=None, max_examples=150)
@given(
    array=numeric_arrays,
    name=names.filter(lambda name: name not in {".", ".."}),
    attributes=st.dictionaries(attribute_names, values, max_size=12),
)
def test_any_numbers_name_and_attributes(reader, array, name, attributes):
    found = reader(encode(part_of(array, name, attributes)).read_all())
    assert list(found) == [name]
    read, read_attributes, _chunks, _text, dtype = found[name]
    np.testing.assert_array_equal(read, array)
    assert dtype == array.dtype.str
    assert read.shape == array.shape
    expected = {key: value for key, value in attributes.items() if value is not None}
    assert read_attributes == expected
    for key, value in expected.items():
        assert isinstance(read_attributes[key], str) == isinstance(value, str)


@settings(deadline=None, max_examples=40)
@given(labels=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9)))
def test_any_texts(reader, labels):
    array = np.array([label.encode() for label in labels], dtype="S40")
    values, _attributes, _chunks, text, _dtype = reader(encode(part_of(array)).read_all())[GUID]
    assert text == ("utf-8", 40)
    assert [value.decode() for value in values] == labels


def test_the_same_as_a_file_of_h5py(reader):
    """Datatypes and attributes are of the kinds that h5py itself writes."""
    file = io.BytesIO()
    arrays = {
        "floats": np.linspace(0, 1, 12, dtype="f4").reshape(3, 4),
        "truth": np.array([True, False]),
        "labels": np.array([b"one", b"two"], dtype="S5"),
    }
    with h5py.File(file, "w") as root:
        for name, array in arrays.items():
            dtype = h5py.string_dtype("utf-8", 5) if array.dtype.kind == "S" else array.dtype
            dataset = root.create_dataset(name, data=array.astype(dtype))
            dataset.attrs.update({"units": "mV", "count": 3, "rate": 0.5, "empty": ""})
    with h5py.File(file, "r") as theirs:
        for name, array in arrays.items():
            attributes = {"units": "mV", "count": 3, "rate": 0.5, "empty": ""}
            with opened(encode(part_of(array, name, attributes))) as ours:
                assert ours[name].id.get_type() == theirs[name].id.get_type()
                assert ours[name].id.get_space().shape == theirs[name].id.get_space().shape
                assert dict(ours[name].attrs) == dict(theirs[name].attrs)
                for key in attributes:
                    mine, other = ours[name].attrs.get_id(key), theirs[name].attrs.get_id(key)
                    assert mine.get_type() == other.get_type()
                    assert mine.get_space().get_simple_extent_type() == h5py.h5s.SCALAR


@pytest.mark.parametrize("libver", ["earliest", "v108", "v110", "v112", "v114", "latest"])
def test_every_version_of_the_library_reads_and_changes_it(tmp_path, libver):
    path = tmp_path / "body.h5"
    path.write_bytes(encode(part_of(np.arange(7), attributes=ATTRIBUTES)).read_all())
    with h5py.File(path, "r+", libver=(libver, "latest")) as root:
        root[GUID][3] = 70
        root[GUID].attrs["note"] = "checked"
        root["more"] = np.ones(3)
    with h5py.File(path, "r") as root:
        np.testing.assert_array_equal(root[GUID][:], [0, 1, 2, 70, 4, 5, 6])
        assert dict(root[GUID].attrs) == {
            **{key: value for key, value in ATTRIBUTES.items() if value is not None},
            "note": "checked",
        }
        np.testing.assert_array_equal(root["more"][:], [1, 1, 1])


@pytest.mark.parametrize("length", [1, 7, 8, 4000, 4096, 70_000])
def test_texts_and_names_of_any_length(reader, length):
    """The heap of texts at, below and above its least size; attributes of more than 64 KiB."""
    name = "n" * length
    attributes = {f"text{number}": "ü" * (length // 2 + number) for number in range(9)}
    values, found, *_others = reader(encode(part_of(np.arange(3.0), name, attributes)).read_all())[
        name
    ]
    np.testing.assert_array_equal(values, [0.0, 1.0, 2.0])
    assert found == attributes


@pytest.mark.parametrize("length", range(3900, 4064, 8))
def test_every_rest_of_the_heap(reader, length):
    """Less than 16 bytes that are left cannot describe themselves as free."""
    body = encode(part_of(np.arange(3), attributes={"text": "x" * length}))
    assert reader(body.read_all())[GUID][1] == {"text": "x" * length}


def test_many_attributes(reader):
    attributes = {f"number{number}": number for number in range(3000)}
    attributes |= {f"text{number}": str(number) for number in range(3000)}
    assert reader(encode(part_of(np.arange(3), attributes=attributes)).read_all())[GUID][1] == (
        attributes
    )


@pytest.mark.parametrize("shape", [(0,), (0, 4), (3, 0), (2, 0, 5)])
def test_empty_arrays(reader, shape):
    body = encode(part_of(np.empty(shape, "<f4"), attributes=ATTRIBUTES))
    data = body.read_all()
    assert b"".join(body.blocks()) == data
    values, attributes, *_others = reader(data)[GUID]
    assert values.shape == shape
    assert values.dtype == np.dtype("<f4")
    assert attributes["units"] == "mv"


def test_more_than_four_gib(tmp_path):
    """Only the head and the rows that are asked for are ever made."""
    shape = (2**31, 3)

    def read(start, stop):
        rows = np.arange(start, stop).astype("<i2")
        return np.stack((rows, rows ^ 1, rows ^ 2), axis=1)

    body = encode(ArrayPart(GUID, np.dtype("<i2"), shape, read, ATTRIBUTES))
    head = hdf5_head(ArrayPart(GUID, np.dtype("<i2"), shape, read, ATTRIBUTES))
    assert body.length == len(head) + 2**31 * 6
    path = tmp_path / "large.h5"
    with path.open("wb") as file:
        for start, stop in ((0, 10_000), (body.length - 5000, body.length)):
            file.seek(start)
            file.writelines(body.blocks(start, stop))
    with h5py.File(path, "r") as root:
        assert root[GUID].shape == shape
        np.testing.assert_array_equal(root[GUID][:100], read(0, 100))
        np.testing.assert_array_equal(root[GUID][-800:], read(2**31 - 800, 2**31))


def test_blocks_are_bounded_and_make_the_whole():
    array = np.arange(3_000_000, dtype="<i4").reshape(-1, 3)
    body = encode(part_of(array, attributes=ATTRIBUTES))
    sizes = [len(block) for block in body.blocks()]
    assert sum(sizes) == body.length
    assert max(sizes) <= BLOCK_BYTES
    assert b"".join(body.blocks()) == body.read_all()


@pytest.mark.parametrize("name", ["", ".", "a/b", "a\0b"])
def test_names_that_hdf5_does_not_allow(name):
    with pytest.raises(ValueError, match="cannot name a dataset"):
        encode(part_of(np.arange(3), name))


@pytest.mark.parametrize("name", ["", "a\0b", "n" * 66_000])
def test_attributes_that_hdf5_does_not_allow(name):
    with pytest.raises(ValueError, match="cannot name an attribute"):
        encode(part_of(np.arange(3), attributes={name: 1}))


def test_limits_of_the_format():
    with pytest.raises(ValueError, match="at most 32"):
        encode(part_of(np.empty((1,) * 33)))
    with pytest.raises(ValueError, match="70000 attributes"):
        encode(part_of(np.empty(1), attributes={str(number): 1 for number in range(70_000)}))
    with pytest.raises(OverflowError):
        encode(part_of(np.empty(1), attributes={"number": 2**64}))


@pytest.mark.parametrize("compression", ["gzip", "lzf", "blosc"])
def test_compression(compression):
    if compression == "blosc":
        import hdf5plugin  # noqa: F401 - makes the filter known to h5py
    array = np.arange(1_200_000, dtype="<i4").reshape(-1, 4) // 100
    body = encode(part_of(array, attributes=ATTRIBUTES), compression=compression)
    assert body.length is None
    assert not body.seekable
    blocks = [bytes(block) for block in body.blocks()]
    data = b"".join(blocks)
    assert max(map(len, blocks)) <= BLOCK_BYTES
    assert len(data) < array.nbytes / 5
    with h5py.File(io.BytesIO(data), "r") as root:
        assert list(root) == [GUID]
        np.testing.assert_array_equal(root[GUID][()], array)
        assert root[GUID].chunks == (BLOCK_BYTES // 16, 4)
        assert root[GUID].attrs["sampling_rate"] == 20000.0
        assert "kind" not in root[GUID].attrs
    assert body.read_all() == data


def test_compression_of_texts_and_of_nothing():
    labels = np.array([b"one", "zwö".encode(), b""], dtype="S6")
    with opened(encode(part_of(labels), compression="gzip")) as root:
        np.testing.assert_array_equal(root[GUID][()], labels)
        assert h5py.check_string_dtype(root[GUID].dtype) == ("utf-8", 6)
    with opened(encode(part_of(np.empty((0, 3))), compression="lzf")) as root:
        assert root[GUID].shape == (0, 3)


def test_compression_reads_one_block_at_a_time():
    array = np.arange(2**20, dtype="<i8")
    asked = []

    def read(start, stop):
        asked.append((start, stop))
        return array[start:stop]

    part = ArrayPart(GUID, array.dtype, array.shape, read)
    body = encode(part, compression="lzf")
    assert asked == []
    body.read_all()
    assert len(asked) == 8
    assert all(before[1] == after[0] for before, after in pairwise(asked))


def test_compression_fails_as_reading_does():
    def read(start, stop):
        msg = "the disk is gone"
        raise OSError(msg)

    part = ArrayPart(GUID, np.dtype("<i2"), (1000,), read)
    with pytest.raises(OSError, match="the disk is gone"):
        encode(part, compression="gzip").read_all()


def test_unknown_compression():
    with pytest.raises(ServiceError, match="compression=zip is unknown") as caught:
        encode(part_of(np.arange(3)), compression="zip")
    assert caught.value.status == 400
    assert caught.value.message_type == "wrong_params"
    assert caught.value.details == {"parameter": "compression"}
    with pytest.raises(ServiceError, match="is for format=hdf5, not npy"):
        encode(part_of(np.arange(3)), "npy", compression="gzip")


def test_no_blosc(monkeypatch):
    monkeypatch.setattr("ephyrus.service.encoders.hdf5.find_spec", lambda name: None)
    with pytest.raises(ServiceError, match="use compression=gzip or lzf"):
        encode(part_of(np.arange(3)), compression="blosc")


@pytest.mark.skipif(shutil.which("h5dump") is None, reason="h5dump is not installed")
def test_h5dump_reads_it(tmp_path):
    path = tmp_path / "body.h5"
    path.write_bytes(encode(part_of(np.arange(3, dtype="<i2"), attributes=ATTRIBUTES)).read_all())
    dump = subprocess.run(["h5dump", path], capture_output=True, text=True, check=True).stdout
    assert f'DATASET "{GUID}"' in dump
    assert "(0): 0, 1, 2" in dump
