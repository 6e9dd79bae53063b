"""The examples of the page on formats run, and find what is served."""

import re
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from ephyrus.service.arrays.part import ArrayPart
from ephyrus.service.encoders import FORMATS, choose_format, encode
from ephyrus.service.encoders.ranges import requested
from ephyrus.service.encoders.zarr_view import entry
from ephyrus.service.errors import ServiceError
from tests.golden import ROOT

PAGE = (ROOT / "docs" / "service" / "formats.md").read_text(encoding="utf-8")
SIGNAL = np.arange(-400, 500, dtype="<i2").reshape(-1, 3)
LABELS = np.array([b"on", "zwölf".encode()])
FACTS = {"units": "mv", "sampling_rate": 20000.0}


def part_of(array):
    return ArrayPart("a" * 40, array.dtype, array.shape, lambda i, j: array[i:j], FACTS)


class Handler(BaseHTTPRequestHandler):
    """As much of the service as the page needs."""

    def do_GET(self):
        url = urlsplit(self.path)
        query = {key: value[0] for key, value in parse_qs(url.query).items()}
        part = part_of(LABELS if "/13/" in url.path else SIGNAL)
        try:
            _, _, path = url.path.partition("/zarr/")
            body = entry(part, path) if path else encode(part, choose_format(query["format"], None))
        except ServiceError as error:
            self.send_error(error.status)
            return
        found = None
        if body.seekable and body.length:
            found = requested(self.headers["Range"], length=body.length)
        data = b"".join(body.blocks(*found) if found else body.blocks())
        self.send_response(206 if found else 200)
        if found:
            self.send_header("Content-Range", found.content_range(body.length))
        for name, value in {**body.headers, "Content-Type": body.media_type}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        """Keep quiet."""


@pytest.fixture(scope="module")
def namespace():
    """What the blocks of the page leave, run one after the other."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        text = PAGE.replace("127.0.0.1:8420", f"127.0.0.1:{server.server_port}")
        result = {"seen": []}
        try:
            for block in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
                exec(compile(block, "formats.md", "exec"), result)  # noqa: S102 - the page's own
                if "signal = " in block:
                    result["seen"].append(result["signal"])
        finally:
            server.shutdown()
            thread.join()
        return result


def test_every_example_finds_the_signal(namespace):
    assert len(namespace["seen"]) == 4
    for signal in namespace["seen"]:
        np.testing.assert_array_equal(signal, SIGNAL)
    assert namespace["values"] == SIGNAL.tolist()
    np.testing.assert_array_equal(namespace["first_channel"], SIGNAL[:, 0])
    np.testing.assert_array_equal(namespace["part"], SIGNAL[100:200])


def test_the_facts_that_they_show(namespace):
    assert namespace["units"] == "mv"
    assert namespace["rate"] == 20000.0
    assert namespace["names"] == ["on", "zwölf"]
    assert namespace["channels"] == ["ch0", "ch1", "ch2"]
    assert namespace["headers"]["X-Array-Units"] == "mv"


def test_the_table_of_formats_is_that_of_the_service():
    rows = re.findall(r"^\| `(\w+)`[^|]*\| `([^`]+)` \| .* \| (yes|no) \| (yes|no) \|$", PAGE, re.M)
    assert [name for name, *_ in rows] == list(FORMATS)
    for name, media_type, length, ranges in rows:
        body = encode(part_of(SIGNAL), name)
        assert body.media_type == FORMATS[name].media_type
        assert body.media_type.partition(";")[0] == media_type
        assert body.extension == FORMATS[name].extension
        assert (body.length is not None) == (length == "yes")
        assert body.seekable == (ranges == "yes")
        assert choose_format(None, media_type) == name
