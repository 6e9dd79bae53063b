"""JSON and CSV bodies: what is read back is what was sent."""

import csv
import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from ephyrus.service.arrays.part import BLOCK_BYTES, ArrayPart
from ephyrus.service.encoders import encode

DTYPES = ["?", "i1", "u1", "<i2", ">i2", "<i4", "<u8", ">i8", "<f2", "<f4", ">f4", "<f8", ">f8"]


def part_of(array, **attributes):
    return ArrayPart(
        "a" * 40, array.dtype, array.shape, lambda start, stop: array[start:stop], attributes
    )


def json_of(array, **options):
    return json.loads(encode(part_of(array), "json", **options).read_all())


def csv_of(array, **options):
    text = encode(part_of(array), "csv", **options).read_all().decode()
    return [list(row) for row in csv.reader(io.StringIO(text))]


numeric = st.sampled_from(DTYPES).flatmap(
    lambda dtype: npst.arrays(
        dtype, npst.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=5)
    )
)


@settings(deadline=None, max_examples=150)
@given(numeric)
def test_json_of_any_numbers(array):
    body = encode(part_of(array), "json")
    data = body.read_all()
    assert b"".join(body.blocks()) == data
    read = np.array(json.loads(data), dtype=object)
    assert read.shape == array.shape
    if array.dtype.kind != "f":
        assert read.tolist() == array.tolist()
        return
    finite = np.isfinite(array)
    assert all(value is None for value in read[~finite])
    native = array.dtype.newbyteorder("=")
    assert np.array_equal(
        read[finite].astype(native).view(np.uint8), array[finite].astype(native).view(np.uint8)
    )


def test_json_texts_are_the_shortest_of_their_type():
    assert encode(part_of(np.array([0.1, 1e-7, 1 / 3], "f4")), "json").read_all() == (
        b"[0.1,1e-7,0.33333334]"
    )
    assert encode(part_of(np.array([2**63 - 1, -(2**63)])), "json").read_all() == (
        b"[9223372036854775807,-9223372036854775808]"
    )
    assert encode(part_of(np.array([np.nan, np.inf, -np.inf, -0.0])), "json").read_all() == (
        b"[null,null,null,-0.0]"
    )


@pytest.mark.parametrize(
    ("shape", "expected"), [((0,), []), ((0, 3), []), ((2, 0), [[], []]), ((2, 0, 4), [[], []])]
)
def test_json_of_empty_arrays(shape, expected):
    assert json_of(np.empty(shape)) == expected


def test_json_of_texts():
    labels = ["on", "", 'quo"te,', "zwölf µV", "\n"]
    assert json_of(np.array([label.encode() for label in labels])) == labels
    assert json_of(np.array([b"\xff!"])) == ["�!"]


@pytest.mark.parametrize("name", ["json", "csv"])
@pytest.mark.parametrize(
    "array",
    [
        np.arange(300_000, dtype="<i2"),
        np.linspace(-1, 1, 210_000).reshape(-1, 3),
        np.linspace(-1, 1, 240_000, dtype="f4").reshape(-1, 4, 2),
        np.full(9000, b"x" * 400),
    ],
    ids=["1-D", "2-D", "3-D", "texts"],
)
def test_blocks_are_bounded_and_make_the_whole(name, array):
    body = encode(part_of(array), name)
    blocks = [bytes(block) for block in body.blocks()]
    assert max(map(len, blocks)) < 1.5 * BLOCK_BYTES
    assert len(blocks) > 3
    data = b"".join(blocks)
    assert data == body.read_all()
    if array.dtype.kind == "S":
        array = array.astype(str)
    if name == "json":
        read = np.array(json.loads(data), array.dtype)
    else:
        options = {"delimiter": ",", "skiprows": 1, "ndmin": 2}
        read = np.loadtxt(io.BytesIO(data), array.dtype, **options).reshape(array.shape)
    np.testing.assert_array_equal(read, array)


@settings(deadline=None, max_examples=150)
@given(numeric)
def test_csv_of_any_numbers(array):
    body = encode(part_of(array, units="mv"), "csv")
    assert body.media_type.startswith("text/csv")
    assert body.headers == {"X-Array-Units": "mv"}
    header, *rows = csv.reader(io.StringIO(body.read_all().decode()))
    values = array.reshape(len(array), -1)
    assert len(header) == len(set(header)) == values.shape[1]
    if array.dtype.kind == "f":
        read = np.array([[float(cell) for cell in row] for row in rows])
        native = array.dtype.newbyteorder("=")
        np.testing.assert_array_equal(read.astype(native), values)
    else:
        assert [[int(cell) for cell in row] for row in rows] == values.astype(object).tolist()


def test_csv_names():
    assert csv_of(np.arange(2))[0] == ["value"]
    named = encode(part_of(np.arange(2), field="times"), "csv").read_all()
    assert named == b"times\n0\n1\n"
    wide = np.arange(4).reshape(2, 2)
    assert csv_of(wide) == [["ch0", "ch1"], ["0", "1"], ["2", "3"]]
    assert csv_of(wide, columns=["Fp1", 'a,"b"'])[0] == ["Fp1", 'a,"b"']
    assert csv_of(wide, columns=["Fp1", "Fp1"])[0] == ["Fp1", "Fp1_2"]
    assert csv_of(wide, columns=["too", "many", "names"])[0] == ["ch0", "ch1"]
    assert csv_of(np.arange(2), columns=["Fp1"])[0] == ["Fp1"]
    waveforms = np.arange(4).reshape(1, 2, 2)
    assert csv_of(waveforms, columns=["a", "b"]) == [
        ["a[0]", "a[1]", "b[0]", "b[1]"],
        ["0", "1", "2", "3"],
    ]


def test_csv_of_texts():
    labels = ["on", "", 'quo"te,', "zwölf", "two\nlines"]
    rows = csv_of(np.array([label.encode() for label in labels]))
    assert rows == [["value"], *([label] for label in labels)]
    with_index = csv_of(np.array([b"a", b"b"]), indices=np.array([3, 10]))
    assert with_index == [["index", "value"], ["3", "a"], ["10", "b"]]


def test_csv_of_special_values():
    array = np.array([[np.nan, 1.5], [np.inf, -np.inf], [0.1, 1e300]])
    assert encode(part_of(array), "csv").read_all() == (b"ch0,ch1\nnan,1.5\ninf,-inf\n0.1,1e+300\n")
    assert encode(part_of(array[:, 0]), "csv").read_all() == b"value\nnan\ninf\n0.1\n"


def test_csv_with_indices():
    values = np.array([[0.5, np.nan], [1.5, 2.0]], dtype="f4")
    assert encode(part_of(values), "csv", indices=np.array([7, 9])).read_all() == (
        b"index,ch0,ch1\n7,0.5,nan\n9,1.5,2.0\n"
    )
    own = np.array([[0, 1], [5, 6]])
    assert encode(part_of(values), "csv", indices=own).read_all() == (
        b"index:ch0,ch0,index:ch1,ch1\n0,0.5,1,nan\n5,1.5,6,2.0\n"
    )
    whole = np.array([2**62, -5])
    assert encode(part_of(whole), "csv", indices=np.array([1, 2])).read_all() == (
        b"index,value\n1,4611686018427387904\n2,-5\n"
    )
    flags = np.array([True, False])
    assert encode(part_of(flags), "csv", indices=np.array([1, 2])).read_all() == (
        b"index,value\n1,1\n2,0\n"
    )


@pytest.mark.parametrize(
    ("shape", "expected"), [((0,), b"value\n"), ((0, 2), b"ch0,ch1\n"), ((2, 0), b"\n")]
)
def test_csv_of_empty_arrays(shape, expected):
    assert encode(part_of(np.empty(shape)), "csv").read_all() == expected


def test_csv_of_no_channels_with_indices():
    body = encode(part_of(np.empty((2, 0))), "csv", indices=np.array([4, 8]))
    assert body.read_all() == b"index\n4\n8\n"


@pytest.mark.parametrize("name", ["json", "csv"])
def test_bodies_of_text_are_worth_a_content_coding(name):
    assert encode(part_of(np.arange(3)), name).compressible
    assert not encode(part_of(np.arange(3)), "raw").compressible
