"""Sections 12 and 13 of the page of the data service over HTTP: the original client, and additions.

Each test bears the section that it proves; what needs a database runs on both kinds.
"""

from __future__ import annotations

import gzip
import io
import itertools
import json

import h5py
import numpy as np
import pytest

from tests.service.acceptance import TABLE, E, Y, fields, hdf5, links, q, refused, with_arrays
from tests.service.support import Site, User, site_on


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def site(request, tmp_path_factory):
    """Give a service on each kind of database."""
    with site_on(request, tmp_path_factory) as site:
        yield site


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    """Give a service with a long signal and a table."""
    with Site(tmp_path_factory.mktemp("arrays")) as site:
        yield with_arrays(site)


@pytest.fixture
def ada(site):
    """Give somebody who has logged in."""
    return site.user("ada")


@pytest.fixture
def bob(site):
    """Give somebody else."""
    return site.user("bob")


# -------------------------------------------------------------------------------- section 12


def test_12_client_of_0_3_2(ada, bob):
    """The steps of the original client: no trailing slash, no content type, bare tags and ids."""
    answer = ada.request("POST", "/datafiles/datafile/", files={"raw_file": hdf5(a=Y[:9])})
    location = answer.json()["selected"][0]["location"]
    assert location.strip("/").split("/")[:2] == ["datafiles", "datafile"]
    number = int(location.rsplit("/", 1)[1])
    body = {"sampling_rate": q(1, "kHz"), "t_start": q(0, "ms"), "signal": q(number, "mV")}
    item = ada.make("electrophysiology/analogsignal", **body)
    assert len(item["location"].strip("/").split("/")) == 3
    assert item["model"].endswith("analogsignal")
    assert item["id"] == item["location"].rsplit("/", 1)[1]
    bare = {"If-none-match": item["fields"]["guid"]}
    assert ada.get(item["location"], headers=bare).status_code == 304
    listed = ada.get("/electrophysiology/analogsignal?id__in=" + f"{item['id']},99999")
    assert links(*listed.json()["selected"]) == links(item)
    content = ada.get(f"/datafiles/datafile/{number}/data/").content
    with h5py.File(io.BytesIO(content)) as file:
        ((name, data),) = file.items()
        np.testing.assert_array_equal(data[()], Y[:9])
    assert name == item["fields"]["guid"]
    acl = {"safety_level": 1, "shared_with": {bob.name: 2}}
    answer = ada.post(item["location"] + "/acl/", acl).json()
    assert {name: answer[name] for name in acl} == acl
    assert ada.delete(item["location"] + "?force=1").status_code == 200
    assert ada.get(item["location"]).status_code == 404


# ---------------------------------------------------------------------- section 13, additions


def npy(answer):
    """Array of an answer."""
    assert answer.status_code == 200, answer.text
    return np.load(io.BytesIO(answer.content))


def test_13_1_byte_ranges(arrays):
    user, path, _ = arrays
    whole = Y.tobytes()
    url = path + "?format=raw"
    for wanted, part in [("0-9", whole[:10]), ("-5", whole[-5:]), ("79990-", whole[79_990:])]:
        answer = user.get(url, headers={"Range": f"bytes={wanted}"})
        assert (answer.status_code, answer.content) == (206, part)
        assert answer.headers["content-range"].endswith("/80000")
    answer = user.get(url, headers={"Range": "bytes=99999-"})
    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */80000")
    tag = user.get(url).headers["etag"]
    for condition, status in ((tag, 206), ('"other"', 200)):
        headers = {"Range": "bytes=0-9", "If-Range": condition}
        assert user.get(url, headers=headers).status_code == status
    answer = user.get(url + "&start_index=100&end_index=200", headers={"Range": "bytes=4-11"})
    assert answer.content == whole[404:412]


def test_13_1_codings(arrays):
    user, path, _ = arrays

    def raw(url):
        headers = {**user.headers, "Accept-Encoding": "gzip"}
        with user.site.http.stream("GET", url, headers=headers) as answer:
            return answer.headers.get("content-encoding"), b"".join(answer.iter_raw())

    plain = user.get(path + "?format=json", headers={"Accept-Encoding": "identity"}).content
    coding, body = raw(path + "?format=json")
    assert (coding, gzip.decompress(body)) == ("gzip", plain)
    assert raw(path + "?format=raw") == (None, Y.tobytes())
    coding, body = raw(path + "?format=raw&compress=1")
    assert (coding, gzip.decompress(body)) == ("gzip", Y.tobytes())


def test_13_2_kinds(arrays):
    user, path, _ = arrays
    edges = np.arange(251) * len(Y) // 250
    bins = [Y[a:b] for a, b in itertools.pairwise(edges)]
    mean = npy(user.get(path + "?format=npy&downsample=250"))
    np.testing.assert_allclose(mean, [part.mean(dtype=float) for part in bins], rtol=1e-12)
    stride = npy(user.get(path + "?format=npy&downsample=250&kind=stride"))
    np.testing.assert_array_equal(stride, Y[edges[:-1]])
    expected = [part[sorted((part.argmin(), part.argmax()))] for part in bins]
    minmax = npy(user.get(path + "?format=npy&downsample=500&kind=minmax"))
    np.testing.assert_array_equal(minmax, np.concatenate(expected))
    assert npy(user.get(path + "?format=npy&downsample=501&kind=minmax"))[-1] == Y[-1]
    for kind in ("lttb", "minmaxlttb"):
        pairs = npy(user.get(path + f"?format=npy&downsample=50&kind={kind}&times=1"))
        assert (pairs[0, 0], pairs[-1, 0], len(pairs)) == (0, len(Y) - 1, 50)
        np.testing.assert_array_equal(pairs[:, 1], Y[pairs[:, 0].astype(int)])


def test_13_3_channels_and_dtype(arrays):
    user, path, table = arrays
    channels = npy(user.get(table + "?format=npy&channels=3,0-1"))
    np.testing.assert_array_equal(channels, TABLE[:, [3, 0, 1]])
    refused(user.get(table + "?channels=4"), 400, "wrong_params")
    assert npy(user.get(table + "?format=npy&dtype=f4")).dtype == np.dtype("<f4")
    rows = npy(user.get(path + "?format=npy&indices=5,1,7-9"))
    np.testing.assert_array_equal(rows, Y[[5, 1, 7, 8, 9]])


def test_13_3_bins(arrays):
    user, *_ = arrays
    times = np.sort(np.random.default_rng(2).uniform(0, 100, 1000))
    train = user.make(
        "electrophysiology/spiketrain", t_start=q(0, "ms"), t_stop=q(100, "ms"),
        times=q(user.array(times), "ms"),
    )  # fmt: skip
    for window, params in (((0, 100), {}), ((20, 40), {"start_time": 20, "end_time": 40})):
        link = fields(user, train, bins=10, **params)["times"]["data"]
        counts = user.get(link + "&format=json").json()
        assert counts == np.histogram(times, 10, window)[0].tolist()


def test_13_3_query(arrays):
    user, path, table = arrays
    number = int(path.rsplit("/", 1)[1])
    wanted = [{"datafile": number, "end_index": 5}, {"datafile": table, "channels": "0,2"}]
    answer = user.post("/datafiles/query/?format=json", wanted)
    assert answer.headers["content-type"].startswith("multipart/mixed")
    bodies = [part.partition(b"\r\n\r\n")[2] for part in answer.content.split(b"\r\n--")]
    np.testing.assert_array_equal(np.array(json.loads(bodies[0]), "<f4"), Y[:5])
    assert json.loads(bodies[1]) == TABLE[:, [0, 2]].tolist()
    refused(user.post("/datafiles/query/", [{"datafile": 9999}]), 404, "does_not_exist")
    refused(user.post("/datafiles/query/", []), 400, "not_iterable")


def test_13_4_links_and_cursor(ada):
    for k in range(7):
        ada.make("electrophysiology/epoch", label=f"l{k % 3}", time=q(k, "s"), duration=q(1, "s"))
    for order in ("id", "-label", "-time"):
        whole = links(*ada.get(E + "epoch", {"order_by": order}).json()["selected"])
        seen, url = [], E + f"epoch?max_results=2&order_by={order}"
        while url:
            body = ada.get(url).json()
            seen += links(*body["selected"])
            url = body["next"]
        assert seen == whole
        seen, cursor = [], {}
        while cursor is not None:
            body = ada.get(E + "epoch", {"max_results": 2, "order_by": order, **cursor}).json()
            seen += links(*body["selected"])
            cursor = {"cursor": body["next_cursor"]} if body["next_cursor"] else None
        assert seen == whole
    answer = ada.get(E + "epoch", {"max_results": 2, "offset": 2, "count": 1})
    assert answer.json()["total"] == 7
    relations = [part.rsplit("; ", 1)[1] for part in answer.headers["link"].split(", ")]
    assert relations == ['rel="first"', 'rel="prev"', 'rel="next"']


def test_13_4_tokens(site, ada):
    def token(**body):
        return ada.post("/account/tokens/", {"name": "t", **body})

    made = token(scopes=["read"]).json()
    reader = User(site, "ada", made["token"])
    assert reader.get(E + "block").status_code == 200
    refused(reader.post(E + "block", {"name": "x"}), 403, "not_authorized")
    assert ada.delete(f"/account/tokens/{made['tokens'][0]['id']}").status_code == 200
    refused(reader.get(E + "block"), 401, "not_authenticated")
    for wrong in ({"scopes": ["zzz"]}, {"scopes": ["read"], "expires": "2001-01-01"}):
        assert token(**wrong).status_code == 400


def test_13_4_pages_of_the_service(site, ada):
    for path, kind in {
        "/openapi.json": "application/json", "/docs": "text/html", "/health": "application/json",
        "/api/": "application/json",
    }.items():  # fmt: skip
        answer = site.anonymous.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
    paths = site.anonymous.get("/openapi.json").json()["paths"]
    assert {"/datafiles/{id}/data", "/account/authenticate", "/datafiles/query"} <= {
        path.rstrip("/") for path in paths
    }
    refused(ada.get("/metrics"), 403, "not_authorized")
    assert "ephyrus_request_seconds" in site.user("root", is_admin=True).get("/metrics").text
