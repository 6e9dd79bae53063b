"""Parts of many arrays in one request."""

import email.parser
import email.policy
import io

import h5py
import numpy as np
import pytest

from tests.service.support import Site


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("site")) as found:
        yield found


@pytest.fixture(scope="module")
def bob(site):
    return site.user("bob")


@pytest.fixture(scope="module")
def arrays(bob):
    rng = np.random.default_rng(0)
    values = {
        "wide": rng.normal(0, 500, (300, 4)).astype("<i2"),
        "times": np.sort(rng.uniform(0, 100, 200)),
        "labels": np.array([b"a", b"bc", "\u00b5".encode()]),
    }
    return {name: (bob.array(each), each) for name, each in values.items()}


def parts(answer):
    """Take a multipart body apart: headers and content of each part."""
    assert answer.status_code == 200, answer.text
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + answer.content)
    boundary = message.get_boundary().encode()
    found = []
    for each in answer.content.split(b"--" + boundary)[1:-1]:
        lines, _, content = each.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        headers = dict(line.split(b": ", 1) for line in lines.split(b"\r\n"))
        found.append(
            ({key.decode(): value.decode() for key, value in headers.items()}, content[:-2])
        )
    assert answer.content.endswith(b"--" + boundary + b"--\r\n")
    return found


def test_parts_in_the_order_asked_for(bob, arrays):
    wide, times = arrays["wide"], arrays["times"]
    asked = [
        {"datafile": times[0], "start_index": 3, "end_index": 9},
        {"datafile": f"/datafiles/{wide[0]}", "channels": [3, 0], "start_index": 10},
        {"datafile": wide[0], "downsample": 10, "kind": "stride", "channels": "1-2"},
        {"datafile": times[0], "indices": [7, 5]},
    ]
    expected = [
        times[1][3:9],
        wide[1][10:, [3, 0]],
        wide[1][::30, 1:3],
        times[1][[7, 5]],
    ]
    found = parts(bob.post("/datafiles/query/?format=npy", asked))
    assert len(found) == 4
    for (headers, content), values, item in zip(found, expected, asked, strict=True):
        np.testing.assert_array_equal(np.load(io.BytesIO(content)), values)
        assert headers["Content-Type"] == "application/x-npy"
        assert headers["Content-Length"] == str(len(content))
        assert headers["Content-Location"] == f"/datafiles/{str(item['datafile'])[-1]}"
    assert found[0][0]["Content-Disposition"].endswith("-S3-E9.npy")


def test_hdf5_unless_something_else_is_asked_for(bob, arrays):
    number, values = arrays["wide"]
    ((_, content),) = parts(bob.post("/datafiles/query", [{"datafile": number}]))
    with h5py.File(io.BytesIO(content)) as file:
        (name,) = file
        np.testing.assert_array_equal(file[name][()], values)


def test_many_at_once(bob, arrays):
    number, values = arrays["times"]
    asked = [{"datafile": number, "start_index": n, "end_index": n + 1} for n in range(200)] * 5
    found = parts(bob.post("/datafiles/query/?format=raw", asked))
    assert b"".join(content for _, content in found) == values.tobytes() * 5


def test_rows_of_a_table(bob, arrays):
    pa = pytest.importorskip("pyarrow")
    wide, times = arrays["wide"], arrays["times"]
    asked = [
        {"datafile": times[0], "samples_count": 5},
        {"datafile": wide[0], "start_index": 290},
        {"datafile": times[0], "window": "200:", "by": str(times[0])},
    ]
    answer = bob.post("/datafiles/query/?format=arrow", asked)
    assert answer.headers["content-type"] == "application/vnd.apache.arrow.stream"
    table = pa.ipc.open_stream(answer.content).read_all().to_pydict()
    assert table["datafile"] == [f"/datafiles/{n}" for n in (times[0], wide[0], times[0])]
    assert table["shape"] == [[5], [10, 4], [0]]
    np.testing.assert_array_equal(table["values"][0], times[1][:5])
    np.testing.assert_array_equal(table["values"][1], wide[1][290:].ravel())
    assert table["values"][2] == []


def test_rows_of_text(bob, arrays):
    pa = pytest.importorskip("pyarrow")
    number, _ = arrays["labels"]
    answer = bob.post("/datafiles/query/?format=arrow", [{"datafile": number}])
    table = pa.ipc.open_stream(answer.content).read_all().to_pydict()
    assert table["values"] == [["a", "bc", "\u00b5"]]
    mixed = [{"datafile": number}, {"datafile": arrays["times"][0]}]
    assert bob.post("/datafiles/query/?format=arrow", mixed).status_code == 400


@pytest.mark.parametrize(
    ("document", "status", "kind", "item"),
    [
        ({}, 400, "not_iterable", None),
        ([], 400, "not_iterable", None),
        ([3], 400, "dict_required", 0),
        ([{}], 400, "wrong_reference", 0),
        ([{"datafile": "x"}], 400, "wrong_reference", 0),
        ([{"datafile": "/electrophysiology/block/1"}], 400, "wrong_reference", 0),
        ([{"datafile": 1}, {"datafile": 1, "start_index": 300}], 400, "wrong_params", 1),
        ([{"datafile": 1, "channels": [4]}], 400, "wrong_params", 0),
        ([{"datafile": 1, "channels": {}}], 400, "wrong_params", 0),
        ([{"datafile": 1, "start_time": 4}], 400, "wrong_params", 0),
        ([{"datafile": 1, "start_index": 1.5}], 400, "wrong_params", 0),
        ([{"datafile": 2, "kind": "best"}], 400, "wrong_params", 0),
        ([{"datafile": 2, "format": "npy"}], 400, "wrong_params", 0),
        ([{"datafile": 999_999}], 404, "does_not_exist", None),
        ([{"datafile": 1}] * 10_001, 413, "too_large", None),
    ],
)
def test_what_cannot_be(bob, arrays, document, status, kind, item):
    answer = bob.post("/datafiles/query/", document)
    assert (answer.status_code, answer.json()["message_type"]) == (status, kind)
    if item is not None:
        assert answer.json()["details"]["item"] == item


def test_rights(site, bob, arrays):
    anna = site.user("anna")
    own = anna.array(np.arange(3))
    asked = [{"datafile": own}, {"datafile": arrays["times"][0]}]
    answer = anna.post("/datafiles/query/", asked)
    assert (answer.status_code, answer.json()["message_type"]) == (403, "not_authorized")
    assert site.anonymous.post("/datafiles/query/", asked).status_code == 401
    assert (
        parts(anna.post("/datafiles/query/?format=raw", asked[:1]))[0][1] == np.arange(3).tobytes()
    )


def test_names_are_those_of_the_owners(bob, arrays):
    number, _ = arrays["wide"]
    made = bob.make(
        "electrophysiology/analogsignalarray",
        sampling_rate={"data": 1, "units": "hz"},
        t_start={"data": 0, "units": "s"},
        signal={"data": number, "units": "mv"},
    )
    ((headers, content),) = parts(bob.post("/datafiles/query", [{"datafile": number}]))
    with h5py.File(io.BytesIO(content)) as file:
        assert list(file) == [made["fields"]["guid"]]
        assert file[made["fields"]["guid"]].attrs["units"] == "mv"
    assert headers["Content-Disposition"].startswith(
        f"attachment; filename={made['fields']['guid']}"
    )
