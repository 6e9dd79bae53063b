"""Data of datafiles over HTTP: ranges of rows, channels, points, formats, rights, caching."""

import io
import json

import h5py
import numpy as np
import pytest

from tests.service.support import Site

N = 4_000
RATE = 20_000


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("site")) as found:
        yield found


@pytest.fixture(scope="module")
def bob(site):
    return site.user("bob")


@pytest.fixture(scope="module")
def x():
    return (np.random.default_rng(0).normal(0, 800, N)).astype("<i2")


@pytest.fixture(scope="module")
def signal(bob, x):
    """A signal of one channel: its datafile's id and the object."""
    number = bob.array(x)
    made = bob.make(
        "electrophysiology/analogsignal",
        name="one",
        sampling_rate={"data": RATE, "units": "hz"},
        t_start={"data": 10, "units": "ms"},
        signal={"data": number, "units": "mv"},
    )
    return number, made


@pytest.fixture(scope="module")
def wide(bob):
    """A signal of eight channels."""
    values = np.random.default_rng(1).normal(0, 800, (N, 8)).astype("<i2")
    return bob.array(values), values


def root(answer):
    """The one entry of an HDF5 body: name, values, attributes."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-hdf"
    with h5py.File(io.BytesIO(answer.content)) as file:
        (name,) = file
        return name, file[name][()], dict(file[name].attrs)


def failure(answer, status=400, kind="wrong_params"):
    assert answer.status_code == status, answer.text
    document = answer.json()
    assert document["message_type"] == kind
    return document["details"]


class TestHdf5:
    def test_the_array_is_named_by_its_owner_and_carries_its_facts(self, bob, signal, x):
        number, made = signal
        answer = bob.get(f"/datafiles/{number}?start_index=1000&end_index=3001")
        name, values, facts = root(answer)
        guid = made["fields"]["guid"]
        assert name == guid
        assert values.dtype == np.dtype("<i2")
        np.testing.assert_array_equal(values, x[1000:3001])
        assert facts == {
            "units": "mv",
            "t_start": 60.0,
            "t_start_units": "ms",
            "sampling_rate": RATE,
            "sampling_rate_units": "hz",
            "permalink": made["permalink"],
            "field": "signal",
            "start_index": 1000,
            "end_index": 3001,
        }
        disposition = answer.headers["content-disposition"]
        assert disposition == f"attachment; filename={guid}-S1000-E3001.h5"

    def test_points_and_their_kind_are_told(self, bob, signal, x):
        number, _ = signal
        _, values, facts = root(
            bob.get(f"/datafiles/{number}?start_index=1000&end_index=3001&downsample=20")
        )
        part = x[1000:3001].astype(float)
        expected = [part[j * 2001 // 20 : (j + 1) * 2001 // 20].mean() for j in range(20)]
        assert values.dtype == np.float64
        np.testing.assert_allclose(values, expected, rtol=1e-12)
        assert (facts["downsample"], facts["kind"]) == (20, "mean")

    def test_without_an_owner_it_has_the_name_of_the_file(self, bob, wide):
        number, values = wide
        guid = bob.one(f"/datafiles/{number}/info")["fields"]["guid"]
        name, found, facts = root(bob.get(f"/datafiles/{number}/"))
        assert name == guid
        np.testing.assert_array_equal(found, values)
        assert facts == {"start_index": 0, "end_index": N}


class TestDecision:
    """What the bare address of a datafile gives."""

    @pytest.mark.parametrize(
        "query",
        [
            "start_index=1", "end_index=9", "samples_count=3", "downsample=5", "kind=mean",
            "channels=0", "format=json", "indices=3", "bins=3",
        ],
    )  # fmt: skip
    def test_parameters_of_data_ask_for_data(self, bob, wide, signal, query):
        number = wide[0] if query.startswith("channels") else signal[0]
        answer = bob.get(f"/datafiles/{number}?{query}", headers={"Accept": "*/*"})
        assert answer.status_code == 200
        assert "selected" not in answer.text[:200]

    @pytest.mark.parametrize(
        ("query", "accept", "described"),
        [
            ("", "*/*", False),
            ("", "", False),
            ("", "application/x-hdf", False),
            ("", "application/json", True),
            ("", "application/json, */*", True),
            ("", "application/json;q=0.5, application/x-hdf5", False),
            ("", "application/json, application/x-hdf;q=0.5", False),
            ("", "application/json, application/x-hdf;q=0", True),
            ("?q=info", "*/*", True),
            ("?q=info&format=json", "*/*", False),
            ("?format=hdf5", "application/json", False),
        ],
    )
    def test_otherwise_the_client_s_wish_decides(self, bob, signal, query, accept, described):
        answer = bob.get(f"/datafiles/{signal[0]}{query}", headers={"Accept": accept})
        assert answer.status_code == 200
        is_described = answer.headers["content-type"].startswith("application/json") and (
            "selected" in answer.text
        )
        assert is_described == described

    def test_what_is_no_array_is_described_and_has_no_data(self, site, bob):
        made = bob.site.put_array("bob", np.zeros(3))
        from sqlalchemy import delete

        from ephyrus.service.db.schema import ARRAYS

        with site.database.writing() as connection:
            connection.execute(delete(ARRAYS).where(ARRAYS.c.datafile_id == made))
        assert bob.get(f"/datafiles/{made}").json()["selected"][0]["model"] == "datafiles.datafile"
        for path in ("?start_index=0", "/data", "/data/"):
            failure(bob.get(f"/datafiles/{made}{path}"), kind="no_hdf5_array")

    @pytest.mark.parametrize(
        "path", ["/datafiles/{}/data", "/datafiles/{}/data/", "/datafiles/datafile/{}/data/"]
    )
    def test_addresses_that_mean_data_alone(self, bob, signal, x, path):
        answer = bob.get(path.format(signal[0]), headers={"Accept": "application/json"})
        assert answer.json() == x.tolist()


class TestRows:
    @pytest.mark.parametrize(
        ("query", "rows"),
        [
            ("", slice(0, N)),
            ("start_index=5", slice(5, N)),
            ("end_index=9", slice(0, 9)),
            ("start_index=5&end_index=9", slice(5, 9)),
            ("start_index=5&samples_count=3", slice(5, 8)),
            ("end_index=9&samples_count=3", slice(6, 9)),
            ("samples_count=3", slice(0, 3)),
            ("start_index=5&end_index=9&samples_count=77", slice(5, 9)),
            ("start_index=3990&end_index=99999", slice(3990, N)),
            ("indices=7,3,10-12", [7, 3, 10, 11, 12]),
            ("indices=0,3999,1", [0, 3999, 1]),
            ("downsample=4000", slice(0, N)),
            ("start_index=5&end_index=9&downsample=100", slice(5, 9)),
        ],
    )
    def test_rows(self, bob, signal, x, query, rows):
        answer = bob.get(f"/datafiles/{signal[0]}/data?format=json&{query}")
        assert answer.json() == x[rows].tolist()

    @pytest.mark.parametrize(
        ("query", "name"),
        [
            ("start_index=4000", "start_index"),
            ("start_index=-1", "start_index"),
            ("start_index=5&end_index=5", "start_index"),
            ("start_index=10.0", "start_index"),
            ("samples_count=0", "samples_count"),
            ("downsample=0", "downsample"),
            ("kind=best", "kind"),
            ("format=xls", "format"),
            ("start_time=1", "start_time"),
            ("duration=1", "duration"),
            ("channels=0", "channels"),
            ("indices=4000", "indices"),
            ("indices=1&start_index=0", "indices"),
            ("window=1:2", "by"),
            ("start_index=1&start_index=2", "start_index"),
            ("downsampel=20", "downsampel"),
            ("times=1&downsample=5", "times"),
            ("times=1&downsample=5&kind=decimate", "times"),
            ("dtype=f2", "dtype"),
        ],
    )
    def test_what_cannot_be(self, bob, signal, query, name):
        details = failure(bob.get(f"/datafiles/{signal[0]}/data?{query}"))
        assert name in json.dumps(details)


class TestPoints:
    @pytest.mark.parametrize("kind", ["stride", "minmax", "lttb", "minmaxlttb"])
    def test_kinds_that_pick_rows_keep_their_type(self, bob, signal, x, kind):
        query = f"start_index=7&end_index=3007&downsample=50&kind={kind}"
        _, values, _ = root(bob.get(f"/datafiles/{signal[0]}?{query}"))
        pairs = bob.get(f"/datafiles/{signal[0]}?{query}&times=1&format=json").json()
        rows = [int(row) for row, _ in pairs]
        assert values.dtype == np.dtype("<i2")
        assert len(rows) == 50
        assert rows == sorted(rows)
        np.testing.assert_array_equal(values, x[rows])
        np.testing.assert_array_equal(values, [value for _, value in pairs])

    def test_extremes_of_bins(self, bob, signal, x):
        found = bob.get(f"/datafiles/{signal[0]}?downsample=11&kind=minmax&format=json").json()
        expected = []
        for part in (x[j * N // 5 : (j + 1) * N // 5] for j in range(5)):
            rows = sorted([int(part.argmin()), int(part.argmax())])
            expected += part[rows].tolist()
        assert found == [*expected, int(x[-1])]

    def test_levels_give_the_same(self, site, bob):
        from sqlalchemy import update

        from ephyrus.recording.levels import build_levels
        from ephyrus.service.db.schema import ARRAYS

        values = np.random.default_rng(5).normal(0, 500, (40_000, 3)).astype("<i2")
        number = bob.array(values)
        links = [
            f"/datafiles/{number}?start_index=13&downsample=41&kind={kind}&channels={channels}"
            for kind in ("minmax", "mean")
            for channels in ("0-2", "2,0")
        ]
        before = [root(bob.get(link))[1] for link in links]
        path = site.settings.data_folder / "made"
        build_levels(
            path, lambda a, b: values[a:b], len(values), dtype=values.dtype, item_shape=(3,)
        )
        key = site.app.service.store.adopt(path)
        with site.database.writing() as connection:
            chosen = update(ARRAYS).where(ARRAYS.c.datafile_id == number)
            connection.execute(chosen.values(levels_key=key))
        opener = site.app.service.part("arrays", None)
        for link, expected in zip(links, before, strict=True):
            np.testing.assert_array_equal(root(bob.get(link))[1], expected)
        assert opener._open[number][2].levels is not None
        # without the file of levels it is slower, but it goes on
        site.app.service.store.delete(key)
        opener.forget(number)
        np.testing.assert_array_equal(root(bob.get(links[0]))[1], before[0])


class TestChannelsAndTypes:
    @pytest.mark.parametrize(
        ("text", "channels"), [("3", [3]), ("0,5-7", [0, 5, 6, 7]), ("7,1", [7, 1])]
    )
    def test_channels(self, bob, wide, text, channels):
        number, values = wide
        found = bob.get(
            f"/datafiles/{number}?channels={text}&start_index=9&end_index=99&format=npy"
        )
        np.testing.assert_array_equal(np.load(io.BytesIO(found.content)), values[9:99, channels])

    @pytest.mark.parametrize("text", ["8", "0,0", "x", "5-2", ""])
    def test_channels_that_are_not_there(self, bob, wide, text):
        assert failure(bob.get(f"/datafiles/{wide[0]}/data?channels={text}")) == "channels"

    @pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "i8", "u1"])
    def test_another_type(self, bob, dtype):
        values = np.array([-1e9, -3.5, 0.4, 2.5, 300.0, 1e30, np.nan])
        number = bob.array(values)
        found = bob.get(f"/datafiles/{number}?dtype={dtype}&format=npy")
        expected = {
            "f8": values,
            "f4": values.astype("f4"),
            "i2": [-32768, -4, 0, 2, 300, 32767, 0],
            "i8": [-(10**9), -4, 0, 2, 300, 2**63 - 1024, 0],
            "u1": [0, 0, 0, 2, 255, 255, 0],
        }[dtype]
        loaded = np.load(io.BytesIO(found.content))
        assert loaded.dtype == np.dtype(f"<{dtype}")
        np.testing.assert_array_equal(loaded, expected)

    def test_whole_numbers_of_another_type_are_kept_within_its_limits(self, bob):
        number = bob.array(np.array([-70_000, -5, 5, 70_000], "<i4"))
        for dtype, expected in (
            ("i2", [-32768, -5, 5, 32767]),
            ("u8", [0, 0, 5, 70_000]),
            ("i8", [-70_000, -5, 5, 70_000]),
        ):
            found = bob.get(f"/datafiles/{number}?dtype={dtype}&format=json").json()
            assert found == expected

    def test_text_is_neither_reduced_nor_given_a_type(self, bob):
        number = bob.array(np.array([b"a", b"bc", b"d"], "|S2"))
        assert bob.get(f"/datafiles/{number}?format=json&start_index=1").json() == ["bc", "d"]
        assert failure(bob.get(f"/datafiles/{number}?downsample=2")) == "downsample"
        assert failure(bob.get(f"/datafiles/{number}?dtype=f4")) == "dtype"


@pytest.fixture(scope="module")
def times(bob):
    """Times out of order, labels that go with them, and times in order."""
    values = np.array([5.0, 1.0, 3.0, np.nan, 2.0, 9.0])
    labels = np.array([b"five", b"one", b"three", b"none", b"two", b"nine"])
    return bob.array(values), bob.array(labels), bob.array(np.sort(values)[:5])


class TestTimes:
    def test_rows_by_times_that_are_not_sorted(self, bob, times):
        by, labels, _ = times

        def get(window):
            path = f"/datafiles/{labels}?format=json&by={by}&window={window}"
            return bob.get(path).json()

        assert get("2:5") == ["five", "three", "two"]
        assert get(":2") == ["one", "two"]
        assert get("9:") == ["nine"]
        assert get("6:8") == []

    def test_rows_by_times_that_are_sorted(self, bob, times):
        _, _, by = times
        found = bob.get(f"/datafiles/{by}?format=json&by={by}&window=2:5").json()
        assert found == [2.0, 3.0, 5.0]

    def test_points_of_rows_by_times(self, bob, times):
        by, _, _ = times
        found = bob.get(f"/datafiles/{by}?format=json&by={by}&window=1:9&downsample=2").json()
        assert found == [3.0, 14 / 3]

    def test_by_must_fit(self, bob, times, signal):
        by, labels, _ = times
        assert failure(bob.get(f"/datafiles/{labels}?by={signal[0]}&window=0:1")) == "by"
        assert failure(bob.get(f"/datafiles/{by}?by={labels}&window=0:1")) == "by"

    def test_the_times_must_be_readable_too(self, site, bob, times):
        anna = site.user("anna")
        own = anna.array(np.arange(6.0))
        failure(anna.get(f"/datafiles/{own}?by={times[0]}&window=0:1"), 403, "not_authorized")

    def test_counts(self, bob, times):
        by, labels, in_order = times

        def get(number, query):
            return bob.get(f"/datafiles/{number}?format=json&{query}").json()

        assert get(by, "bins=4") == [2, 1, 1, 1]
        assert get(by, f"bins=2&window=1:5&by={by}") == [2, 2]
        assert get(in_order, f"bins=2&window=1:5&by={in_order}") == [2, 2]
        assert get(by, f"bins=3&window=20:30&by={by}") == [0, 0, 0]
        assert get(by, "bins=2&start_index=0&end_index=3") == [1, 2]
        _, _, facts = root(bob.get(f"/datafiles/{by}?bins=4"))
        assert (facts["bin_start"], facts["bin_width"]) == (1.0, 2.0)
        assert failure(bob.get(f"/datafiles/{labels}?bins=3")) == "bins"
        assert failure(bob.get(f"/datafiles/{by}?bins=3&window=1:2&by={in_order}")) == "by"
        assert failure(bob.get(f"/datafiles/{by}?bins={10**9}")) == "bins"


class TestTransfer:
    def test_ranges_of_bytes(self, bob, signal, x):
        for form, head in (("raw", 0), ("npy", 128)):
            path = f"/datafiles/{signal[0]}/data?format={form}"
            whole = bob.get(path)
            assert whole.headers["accept-ranges"] == "bytes"
            assert len(whole.content) == head + 2 * N
            part = bob.get(path, headers={"Range": f"bytes={head + 11}-{head + 30}"})
            assert part.status_code == 206
            assert part.content == x.tobytes()[11:31]
            total = head + 2 * N
            assert part.headers["content-range"] == f"bytes {head + 11}-{head + 30}/{total}"
            tail = bob.get(path, headers={"Range": "bytes=-6"})
            assert tail.content == x.tobytes()[-6:]
            beyond = bob.get(path, headers={"Range": f"bytes={total}-"})
            failure(beyond, 416, "range_not_satisfiable")
            assert beyond.headers["content-range"] == f"bytes */{total}"

    def test_a_range_of_another_version_is_not_sent(self, bob, signal):
        path = f"/datafiles/{signal[0]}/data?format=raw"
        tag = bob.get(path).headers["etag"]
        same = bob.get(path, headers={"Range": "bytes=0-3", "If-Range": tag})
        assert (same.status_code, len(same.content)) == (206, 4)
        other = bob.get(path, headers={"Range": "bytes=0-3", "If-Range": '"other"'})
        assert (other.status_code, len(other.content)) == (200, 2 * N)

    def test_large_bodies_come_in_blocks(self, bob, monkeypatch):
        values = np.random.default_rng(3).normal(size=(700_000, 2)).astype("<f4")
        number = bob.array(values)
        answer = bob.get(f"/datafiles/{number}?format=raw")
        assert answer.headers["content-length"] == str(values.nbytes)
        assert answer.content == values.tobytes()
        part = bob.get(f"/datafiles/{number}?format=raw", headers={"Range": "bytes=5-5000004"})
        assert part.content == values.tobytes()[5:5000005]

    def test_head_reads_nothing(self, bob, signal, monkeypatch):
        from ephyrus.service.arrays import stored

        path = f"/datafiles/{signal[0]}/data?format=raw&start_index=4"
        expected = dict(bob.get(path).headers)
        monkeypatch.setattr(stored.StoredArray, "read", lambda *_: pytest.fail("it was read"))
        found = bob.request("HEAD", path)
        assert (found.status_code, found.content) == (200, b"")
        for name in ("etag", "content-length", "content-type", "content-disposition"):
            assert found.headers[name] == expected[name]

    def test_tags(self, bob, site, signal):
        number, _ = signal
        path = f"/datafiles/{number}?start_index=1&end_index=9"
        tag = bob.get(path).headers["etag"]
        guid = bob.one(f"/datafiles/{number}/info")["fields"]["guid"]
        assert tag.strip('"').split("-")[0] == guid
        for sent in (tag, f"W/{tag}", tag.strip('"'), guid, f'"x", {tag}', "*"):
            same = bob.get(path, headers={"If-None-Match": sent})
            assert (same.status_code, same.content) == (304, b"")
            assert same.headers["etag"] == tag
        assert bob.get(path, headers={"If-None-Match": '"x"'}).status_code == 200
        others = {
            bob.get(path + more).headers["etag"]
            for more in ("&downsample=3", "&format=json", "&kind=lttb", "&dtype=f4")
        }
        others.add(bob.get(f"/datafiles/{number}?start_index=2&end_index=9").headers["etag"])
        assert len(others) == 5
        assert tag not in others

    def test_the_tag_follows_the_owner(self, bob, x):
        number = bob.array(x, name="followed")
        path = f"/datafiles/{number}?start_index=1"
        tags = [bob.get(path).headers["etag"]]
        made = bob.make(
            "electrophysiology/analogsignal",
            sampling_rate={"data": 1, "units": "hz"},
            t_start={"data": 0, "units": "s"},
            signal={"data": number, "units": "mv"},
        )
        tags.append(bob.get(path).headers["etag"])
        assert bob.post(made["permalink"], {"description": "new"}).status_code == 200
        answer = bob.get(path)
        tags.append(answer.headers["etag"])
        assert len(set(tags)) == 3
        assert root(answer)[0] == bob.one(made["permalink"])["fields"]["guid"]

    def test_compression_of_the_transfer(self, bob, wide):
        number, values = wide
        plain = bob.get(f"/datafiles/{number}?format=raw", headers={"Accept-Encoding": "gzip"})
        assert "content-encoding" not in plain.headers
        asked = bob.get(
            f"/datafiles/{number}?format=raw&compress=1", headers={"Accept-Encoding": "gzip"}
        )
        assert asked.headers["content-encoding"] == "gzip"
        assert asked.content == values.tobytes()
        text = bob.get(f"/datafiles/{number}?format=json", headers={"Accept-Encoding": "gzip"})
        assert text.headers["content-encoding"] == "gzip"
        assert text.json() == values.tolist()
        for name in ("gzip", "lzf", "none"):
            _, found, _ = root(bob.get(f"/datafiles/{number}?compression={name}"))
            np.testing.assert_array_equal(found, values)

    def test_zarr(self, bob, wide):
        number, values = wide
        head = bob.get(f"/datafiles/{number}/zarr/zarr.json").json()
        assert head["shape"] == [N, 8]
        chunk = bob.get(f"/datafiles/{number}/zarr/c/0/0").content
        rows = head["chunk_grid"]["configuration"]["chunk_shape"][0]
        found = np.frombuffer(chunk, "<i2").reshape(rows, -1)[: min(rows, N)]
        np.testing.assert_array_equal(found, values[:rows])
        failure(bob.get(f"/datafiles/{number}/zarr/x"), 404, "does_not_exist")


class TestWindowsAgain:
    """A link with another range goes a shorter way, with the same answer."""

    @pytest.mark.parametrize(
        "more",
        [
            "", "&format=raw", "&format=npy", "&format=h5", "&channels=3",
            "&channels=5,1&format=raw", "&dtype=f4&format=npy", "&scaled=0", "&kind=mean",
            "&format=json", "&downsample=7", "&strict=1", "&samples_count=4",
            "&times=1&format=npy", "&compression=gzip",
        ],
    )  # fmt: skip
    def test_both_ways_give_the_same(self, site, bob, wide, more):
        from ephyrus.service.routes.quick import Plans

        plans = site.app.service.part("plans", lambda _: Plans())
        spans = [(0, 1), (17, 1017), (3000, 4000), (3990, 9999)]
        links = [
            f"/datafiles/{wide[0]}{place}?start_index={start}&end_index={stop}{more}"
            for start, stop in spans
            for place in ("", "/data")
            if not ("strict" in more and stop > N)
        ]
        expected = []
        for link in links:
            plans._plans.clear()
            expected.append(bob.get(link))
        assert all(answer.status_code == 200 for answer in expected)
        for link, answer in zip(links, expected, strict=True):
            found = bob.get(link)
            assert found.content == answer.content or "compression" in more
            assert _told(found) == _told(answer)

    @pytest.mark.parametrize("more", ["&format=raw", "&channels=2"])
    def test_the_short_way_is_gone(self, bob, wide, monkeypatch, more):
        from ephyrus.service.errors import ServiceError
        from ephyrus.service.routes import data

        async def refuse(*_):
            raise ServiceError("unavailable", "the long way")

        def status(start, stop, **headers):
            return bob.get(link.format(start, stop), headers=headers).status_code

        link = f"/datafiles/{wide[0]}?start_index={{}}&end_index={{}}{more}"
        tag = bob.get(link.format(1, 5)).headers["etag"]
        monkeypatch.setattr(data, "send_data", refuse)
        assert status(2, 50) == 200
        for wrong in ((5, 5), (9, 3), (4000, 5000)):  # the long way says what is wrong
            assert status(*wrong) == 503
        assert status(1, 5, **{"If-None-Match": tag}) == 503

    def test_rights_are_looked_at_again_after_any_change(self, site, bob, x):
        anna = site.user("anna")
        number = bob.array(x, name="lent")
        link = f"/datafiles/{number}?start_index={{}}&end_index=100&format=raw"
        acl = f"/datafiles/{number}/acl/"
        assert bob.post(acl, {"shared_with": {"anna": 1}}).status_code == 200
        for start in (1, 2, 3):
            assert anna.get(link.format(start)).content == x[start:100].tobytes()
        assert bob.post(acl, {"shared_with": {}}).status_code == 200
        failure(anna.get(link.format(3)), 403, "not_authorized")
        failure(site.anonymous.get(link.format(3)), 401, "not_authenticated")

    def test_what_a_client_accepts_matters(self, bob, signal):
        link = f"/datafiles/{signal[0]}?start_index={{}}&end_index=9"
        for start in (1, 2):
            found = bob.get(link.format(start), headers={"Accept": "application/x-npy"})
            assert found.headers["content-type"] == "application/x-npy"
            found = bob.get(link.format(start), headers={"Accept": "application/x-hdf"})
            assert found.headers["content-type"] == "application/x-hdf"
            found = bob.get(link.format(start), headers={"Range": "bytes=0-3"})
            assert (found.status_code, found.content) == (206, b"\x89HDF")


def _told(answer):
    return {name: value for name, value in answer.headers.items() if name != "x-request-id"}


class TestRights:
    def test_those_of_the_file_or_of_its_owner(self, site, bob, x):
        anna, carl = site.user("anna"), site.user("carl")
        number = bob.array(x, name="private")
        made = bob.make(
            "electrophysiology/analogsignal",
            sampling_rate={"data": 1, "units": "hz"},
            t_start={"data": 0, "units": "s"},
            signal={"data": number, "units": "mv"},
        )
        path = f"/datafiles/{number}/data?format=raw"
        failure(anna.get(path), 403, "not_authorized")
        failure(site.anonymous.get(path), 401, "not_authenticated")
        assert (
            bob.post(f"{made['permalink']}/acl/", {"shared_with": {"anna": 1}}).status_code == 200
        )
        assert anna.get(path).content == x.tobytes()
        failure(carl.get(path), 403, "not_authorized")
        assert bob.post(f"{made['permalink']}/acl/", {"shared_with": {}}).status_code == 200
        failure(anna.get(path), 403, "not_authorized")

    def test_an_owner_that_may_not_be_seen_gives_no_name(self, site, bob, x):
        anna = site.user("anna")
        number = bob.array(x, name="shared")
        made = bob.make(
            "electrophysiology/analogsignal",
            description="secret",
            sampling_rate={"data": 1, "units": "hz"},
            t_start={"data": 0, "units": "s"},
            signal={"data": number, "units": "mv"},
        )
        assert (
            bob.post(f"/datafiles/{number}/acl/", {"shared_with": {"anna": 1}}).status_code == 200
        )
        name, _, facts = root(anna.get(f"/datafiles/{number}"))
        assert name == anna.one(f"/datafiles/{number}/info")["fields"]["guid"]
        assert facts == {"start_index": 0, "end_index": N}
        assert root(bob.get(f"/datafiles/{number}"))[0] == made["fields"]["guid"]

    def test_public_files_are_for_everybody(self, site, bob, x):
        number = bob.array(x, name="public")
        assert bob.post(f"/datafiles/{number}/acl/", {"safety_level": 1}).status_code == 200
        answer = site.anonymous.get(f"/datafiles/{number}/data?format=raw")
        assert answer.content == x.tobytes()
        assert answer.headers["cache-control"] == "public, no-cache"

    def test_there_is_none(self, bob):
        for path in ("/datafiles/999999/data", "/datafiles/999999?start_index=0", "/datafiles/x"):
            failure(bob.get(path), 404, "does_not_exist")

    def test_a_file_that_is_missing_from_the_store(self, site, bob):
        number = bob.array(np.arange(5))
        site.app.service.store.delete(_key(site, number))
        failure(bob.get(f"/datafiles/{number}/data"), 503, "unavailable")

    def test_an_earlier_state(self, bob, x, site):
        number = bob.array(x, name="before")
        made = bob.make(
            "electrophysiology/analogsignal",
            sampling_rate={"data": 1, "units": "hz"},
            t_start={"data": 0, "units": "s"},
            signal={"data": number, "units": "mv"},
        )
        failure(
            bob.get(f"/datafiles/{number}?start_index=0&at_time=2001-01-01"), 404, "does_not_exist"
        )
        created = bob.one(made["permalink"])["fields"]["last_modified"]
        name, _, _ = root(bob.get(f"/datafiles/{number}", {"at_time": created}))
        assert name == made["fields"]["guid"]


def _key(site, number):
    from ephyrus.service.catalog import reading

    with site.database.reading() as connection:
        return reading.array_of(connection, number).location["key"]
