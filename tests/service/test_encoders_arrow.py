"""Arrow bodies: what pyarrow reads from them is what was sent."""

import numpy as np
import pyarrow as pa
import pytest

from ephyrus.service.arrays.part import ArrayPart
from ephyrus.service.encoders import encode
from ephyrus.service.errors import ServiceError

DTYPES = ["?", "i1", "u1", "<i2", ">i2", "<u4", "<i8", ">u8", "<f2", "<f4", ">f8"]


def part_of(array, **attributes):
    return ArrayPart(
        "a" * 40, array.dtype, array.shape, lambda start, stop: array[start:stop], attributes
    )


def table_of(array, attributes=None, **options):
    body = encode(part_of(array, **(attributes or {})), "arrow", **options)
    assert body.media_type == "application/vnd.apache.arrow.stream"
    data = body.read_all()
    assert b"".join(body.blocks()) == data
    with pa.ipc.open_stream(data) as stream:
        table = stream.read_all()
    table.validate(full=True)
    return table


@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_keep_their_dtype(dtype):
    array = np.arange(-6, 6).astype(dtype).reshape(4, 3)
    table = table_of(array, columns=["Fp1", "Fp2", "Cz"])
    assert table.column_names == ["Fp1", "Fp2", "Cz"]
    for number, name in enumerate(table.column_names):
        column = table[name].to_numpy()
        np.testing.assert_array_equal(column, array[:, number])
        assert column.dtype == array.dtype.newbyteorder("=")


def test_a_batch_per_block():
    array = np.arange(1_000_000, dtype="<f8").reshape(-1, 4)
    data = encode(part_of(array), "arrow").read_all()
    with pa.ipc.open_stream(data) as stream:
        batches = list(stream)
    assert [batch.num_rows for batch in batches] == [32_768] * 7 + [20_624]
    for number in range(4):
        values = np.concatenate([batch.column(number).to_numpy() for batch in batches])
        np.testing.assert_array_equal(values, array[:, number])


def test_facts_are_metadata_of_the_schema():
    facts = {"units": "mv", "t_start": 50.0, "sampling_rate": 20000, "kind": None}
    schema = table_of(np.zeros((2, 3)), facts).schema
    assert schema.metadata == {
        b"name": b"a" * 40,
        b"shape": b"2,3",
        b"units": b"mv",
        b"t_start": b"50.0",
        b"sampling_rate": b"20000",
    }
    assert all(not field.nullable for field in schema)


def test_texts():
    labels = ["on", "", "zwölf"]
    table = table_of(np.array([label.encode() for label in labels]), {"field": "labels"})
    assert table.schema.field("labels").type == pa.string()
    assert table["labels"].to_pylist() == labels


def test_not_a_number_is_not_missing():
    array = np.array([np.nan, np.inf, 1.0])
    column = table_of(array)["value"]
    assert column.null_count == 0
    np.testing.assert_array_equal(column.to_numpy(), array)


def test_three_dimensions_and_none():
    array = np.arange(8).reshape(2, 2, 2)
    assert table_of(array).to_pydict() == {
        "ch0[0]": [0, 4],
        "ch0[1]": [1, 5],
        "ch1[0]": [2, 6],
        "ch1[1]": [3, 7],
    }
    assert table_of(np.empty((0, 2))).to_pydict() == {"ch0": [], "ch1": []}
    assert table_of(np.empty(0)).schema.field("value").type == pa.float64()


def test_indices_are_columns():
    values = np.array([[0.5, 1.5], [2.5, 3.5]], dtype="f4")
    table = table_of(values, indices=np.array([3, 2**60]))
    assert table.to_pydict() == {"index": [3, 2**60], "ch0": [0.5, 2.5], "ch1": [1.5, 3.5]}
    assert table.schema.field("index").type == pa.int64()
    assert table_of(values, indices=np.array([[0, 1], [5, 6]])).to_pydict() == {
        "index:ch0": [0, 5],
        "ch0": [0.5, 2.5],
        "index:ch1": [1, 6],
        "ch1": [1.5, 3.5],
    }
    assert table_of(np.array([4, 5]), indices=np.array([[1], [2]])[:, 0]).to_pydict() == {
        "index": [1, 2],
        "value": [4, 5],
    }


def test_one_channel_with_an_index_of_its_own():
    table = table_of(np.array([[4.0], [5.0]]), indices=np.array([[1], [2]]))
    assert table.to_pydict() == {"index:ch0": [1, 2], "ch0": [4.0, 5.0]}


def test_no_pyarrow(monkeypatch):
    monkeypatch.setattr("ephyrus.service.encoders.arrow.find_spec", lambda name: None)
    with pytest.raises(ServiceError, match="use format=hdf5, npy, raw, csv or json") as caught:
        encode(part_of(np.arange(3)), "arrow")
    assert caught.value.message_type == "wrong_params"
    assert caught.value.details == {"parameter": "format"}
