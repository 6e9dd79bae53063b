"""The Zarr view: zarr opens it through HTTP and finds the whole array."""

import io
import json
import threading
import zipfile
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import zarr
from obstore.store import HTTPStore
from zarr.storage import MemoryStore, ObjectStore, ZipStore

from ephyrus.service.arrays.part import ArrayPart
from ephyrus.service.encoders import encode
from ephyrus.service.encoders.zarr_view import entry
from ephyrus.service.errors import ServiceError

FACTS = {"units": "mv", "t_start": 50.0, "start_index": 3, "kind": None}
ARRAYS = {
    **{
        dtype: np.arange(-20, 20).astype(dtype).reshape(10, 4)
        for dtype in ["?", "i1", "u1", "<i2", ">i2", "<u4", "<i8", ">u8", "<f2", "<f4", ">f8"]
    },
    "1-D": np.array([1.5, np.nan, np.inf]),
    "3-D": np.arange(30, dtype="<i2").reshape(5, 3, 2),
    "many chunks": np.arange(600_001, dtype="<f8"),
    "many chunks, wide": np.arange(900_000, dtype="<i4").reshape(-1, 3),
    "no rows": np.empty((0, 4)),
    "no channels": np.empty((4, 0)),
    "texts": np.array(["on", "", "zwölf", "\u20ac" * 5], "U5"),
    "many texts": np.array([f"label {number}" for number in range(90_000)]),
}


def part_of(array):
    if array.dtype.kind == "U":
        array = np.char.encode(array, "utf-8")
    return ArrayPart(
        "a" * 40, array.dtype, array.shape, lambda start, stop: array[start:stop], FACTS
    )


class Handler(BaseHTTPRequestHandler):
    """Answers as the service does: /<name>/<path of the view>."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *args, parts, **options):
        self.parts = parts
        super().__init__(*args, **options)

    def do_GET(self):
        number, _, path = self.path.strip("/").partition("/")
        try:
            data, status = entry(self.parts[int(number)], path).read_all(), 200
        except ServiceError as error:
            data, status = str(error).encode(), error.status
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    do_HEAD = do_GET  # noqa: N815 - the name is the base class's

    def log_message(self, *args):
        """Keep quiet."""


@pytest.fixture(scope="module")
def address():
    parts = [part_of(array) for array in ARRAYS.values()]
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, parts=parts)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("name", ARRAYS)
def test_zarr_opens_it_over_http(address, name):
    array = ARRAYS[name]
    number = list(ARRAYS).index(name)
    store = ObjectStore(
        HTTPStore(f"{address}/{number}", client_options={"allow_http": True}), read_only=True
    )
    opened = zarr.open_array(store, mode="r", zarr_format=3)
    assert opened.shape == array.shape
    assert opened[...].tolist() == array.tolist() or np.array_equal(
        opened[...], array, equal_nan=True
    )
    if array.dtype.kind != "U":
        assert opened.dtype == array.dtype.newbyteorder("=")
    assert dict(opened.attrs) == {
        "name": "a" * 40,
        "units": "mv",
        "t_start": 50.0,
        "start_index": 3,
    }


def test_chunks_are_about_a_mebibyte_along_axis_0():
    array = ARRAYS["many chunks, wide"]
    described = json.loads(entry(part_of(array), "zarr.json").read_all())
    assert described["shape"] == [300_000, 3]
    assert described["data_type"] == "int32"
    rows = 2**20 // 12
    assert described["chunk_grid"]["configuration"] == {"chunk_shape": [rows, 3]}
    assert described["codecs"] == [{"name": "bytes", "configuration": {"endian": "little"}}]
    first = entry(part_of(array), "c/0/0")
    assert first.length == rows * 12
    assert first.read_all() == array[:rows].tobytes()
    last = entry(part_of(array), "c/3/0").read_all()
    left = array[3 * rows :].tobytes()
    assert last == left + bytes(rows * 12 - len(left))


@pytest.mark.parametrize(
    "path",
    [
        "", "c", "c/", "c/0", "c/0/0/0", "c/0/1", "c/4/0", "c/-1/0", "c/00/0", "c/0/0/", "c/x/0",
        "c/1.0/0", "c/٣/0", "c/99999999999999999999/0", "c/0/0\n", "0.0", ".zarray", ".zattrs",
        ".zgroup", "zarr.json/", "../zarr.json", "c/0/../0",
    ],
)  # fmt: skip
def test_nothing_else_exists(path):
    with pytest.raises(ServiceError, match="has no entry") as caught:
        entry(part_of(ARRAYS["many chunks, wide"]), path)
    assert caught.value.status == 404


def test_an_empty_array_has_no_chunks():
    with pytest.raises(ServiceError, match="no entry c/0/0"):
        entry(part_of(ARRAYS["no rows"]), "c/0/0")
    with pytest.raises(ServiceError, match="no entry c/0/0"):
        entry(part_of(ARRAYS["no channels"]), "c/0/0")


def test_texts_that_are_not_utf_8_spoil_nothing():
    labels = np.array([b"good", b"\xff", "ü".encode()])
    part = ArrayPart("a" * 40, labels.dtype, labels.shape, lambda start, stop: labels[start:stop])
    chunk = entry(part, "c/0").read_all()
    sizes = [
        len(text).to_bytes(4, "little") + text for text in (b"good", b"\xef\xbf\xbd", b"\xc3\xbc")
    ]
    assert chunk == b"\3\0\0\0" + b"".join(sizes)


@pytest.mark.parametrize("name", ["many chunks, wide", "no rows", "many texts", "3-D", "1-D"])
def test_the_archive_is_a_store(tmp_path, name):
    array = ARRAYS[name]
    body = encode(part_of(array), "zarr")
    assert body.media_type == "application/zip"
    assert body.extension == ".zarr.zip"
    data = body.read_all()
    assert b"".join(body.blocks()) == data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        for path in archive.namelist():
            assert archive.read(path) == entry(part_of(array), path).read_all()
    path = tmp_path / "array.zarr.zip"
    path.write_bytes(data)
    with ZipStore(path, mode="r") as store:
        opened = zarr.open_array(store, mode="r")
        assert opened.shape == array.shape
        assert np.array_equal(opened[...], array, equal_nan=array.dtype.kind == "f")


def test_memory_store_of_the_entries():
    array = ARRAYS["many chunks"]
    prototype = zarr.core.buffer.default_buffer_prototype()
    paths = ["zarr.json", *(f"c/{number}" for number in range(5))]
    store = MemoryStore(
        {
            path: prototype.buffer.from_bytes(entry(part_of(array), path).read_all())
            for path in paths
        }
    )
    np.testing.assert_array_equal(
        zarr.open_array(store, mode="r")[131_000:400_000:7], array[131_000:400_000:7]
    )
