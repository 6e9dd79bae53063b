"""Arrays that consist of pieces: the same numbers wherever they lie, joined or not."""

from __future__ import annotations

import hashlib
import io
from datetime import timedelta

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from ephyrus.recording.levels import Levels
from ephyrus.recording.rowsource import Rows as Source
from ephyrus.recording.thinning import thin
from ephyrus.service.accounts.tables import utc_now
from ephyrus.service.arrays.opening import ArrayOpener
from ephyrus.service.arrays.pieces import pieces_of
from ephyrus.service.catalog.bulk import NewObject, insert_tree
from ephyrus.service.catalog.reading import array_of
from ephyrus.service.db.schema import ARRAYS, DISCARDED, GROWTH, JOBS, TABLES
from ephyrus.service.files import jobs, merging, rows
from ephyrus.service.files.appending import append_rows, shape_of
from ephyrus.service.files.canonical import store_array
from ephyrus.service.files.merging import Span, due
from ephyrus.service.files.store import FolderStore
from ephyrus.service.files.worker import Worker, sweep
from ephyrus.service.files.workshop import open_workshop, workshop_of
from ephyrus.service.principals import Principal
from ephyrus.service.upkeep.backup import write_backup
from ephyrus.service.upkeep.check import check_service
from ephyrus.service.upkeep.restore import read_backup
from tests.service.appends import (
    SETTINGS,
    grown,
    look_after,
    made_values,
    read,
    row_of,
    small_sizes,
)
from tests.service.support import Site, site_on


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def site(request, tmp_path_factory):
    with site_on(request, tmp_path_factory, **SETTINGS) as made:
        made.user("eve")
        yield made


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A site of which one kind of database is enough."""
    with Site(tmp_path_factory.mktemp("service"), **SETTINGS) as made:
        yield made


@pytest.fixture
def ada(site):
    return site.user("ada")


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    sizes=st.lists(st.integers(1, 120), min_size=2, max_size=14),
    first=st.integers(0, 60),
    kind=st.sampled_from([("<i2", (3,)), ("<f4", ()), ("<f8", (2, 2)), ("|u1", ())]),
    data=st.data(),
)
def test_what_was_appended_is_there(site, sizes, first, kind, data):
    dtype, items = kind
    ada = site.user("ada")
    whole = made_values(dtype, (first, *items), 1)
    number = ada.array(whole)
    with small_sizes():
        for place, size in enumerate(sizes):
            part = made_values(dtype, (size, *items), place + 2)
            told = grown(ada, number, part, start_index=len(whole))
            whole = np.concatenate([whole, part])
            assert (told["start_index"], told["length"]) == (len(whole) - size, len(whole))
            if data.draw(st.integers(0, 4)) == 0:
                look_after(site, seconds=1e-6 if data.draw(st.booleans()) else 3600.0)
        pieces = pieces_of(row_of(site, number).location, len(whole))
        assert sum(piece.rows for piece in pieces) == len(whole)
        np.testing.assert_array_equal(read(ada, number), whole)
        for _ in range(3):
            start = data.draw(st.integers(0, len(whole) - 1))
            stop = data.draw(st.integers(start + 1, len(whole)))
            window = {"start_index": start, "end_index": stop}
            np.testing.assert_array_equal(read(ada, number, **window), whole[start:stop])
            points = data.draw(st.integers(1, 40))
            part = Source(lambda a, b: whole[a:b], len(whole), whole.dtype, items)
            for name in ("mean", "minmax", "stride"):
                expected = thin(part, points, name, start=start, stop=stop)
                expected = expected.read(0, expected.shape[0])
                got = read(ada, number, downsample=points, kind=name, **window)
                np.testing.assert_array_equal(got, expected)
        indices = sorted({data.draw(st.integers(0, len(whole) - 1)) for _ in range(5)})
        got = read(ada, number, indices=",".join(map(str, indices)))
        np.testing.assert_array_equal(got, whole[indices])
        if len(items) == 1:
            np.testing.assert_array_equal(read(ada, number, channels="2,0"), whole[:, [2, 0]])
        look_after(site)
        np.testing.assert_array_equal(read(ada, number), whole)
        report = check_service(site.database, site.app.service.store, digests=True)
        assert report.findings == []


def test_downloads_ranges_and_views_go_across_pieces(plain):
    ada = plain.user("ada")
    whole = made_values("<i2", (50, 2))
    number = ada.array(whole[:20])
    with small_sizes():
        grown(ada, number, whole[20:21])
        grown(ada, number, whole[21:50])
        body = ada.get(f"/datafiles/{number}/download").content
        with h5py.File(io.BytesIO(body)) as file:
            np.testing.assert_array_equal(file["data"][:], whole)
        described = ada.one(f"/datafiles/{number}/info")
        assert described["fields"]["size"] == len(body)
        assert described["arrays"] == {"data": {"dtype": "<i2", "shape": [50, 2]}}
        part = ada.get(f"/datafiles/{number}/download", headers={"range": "bytes=5-1300"})
        assert (part.status_code, part.content) == (206, body[5:1301])
        part = ada.get(
            f"/datafiles/{number}/data", {"format": "raw"}, headers={"range": "bytes=70-90"}
        )
        assert (part.status_code, part.content) == (206, whole.tobytes()[70:91])
        told = ada.get(f"/datafiles/{number}/zarr/zarr.json").json()
        assert told["shape"] == [50, 2]
        with h5py.File(io.BytesIO(ada.get(f"/datafiles/{number}/data").content)) as file:
            (name,) = file
            np.testing.assert_array_equal(file[name][:], whole)
        asked = [{"datafile": number, "start_index": 18, "end_index": 23}]
        answer = ada.post("/datafiles/query?format=npy", asked)
        assert whole[18:23].tobytes() in answer.content


def test_overviews_of_an_array_that_grows(site, ada):
    whole = made_values("<f4", (40_000, 2))
    whole[::97] = np.nan
    number = ada.array(whole[:30_000])
    with site.database.writing() as conn:
        jobs.enqueue(conn, "levels", {"datafile": number}, user_id=None)
    look_after(site)
    assert row_of(site, number).levels_key is not None
    part = Source(lambda a, b: whole[a:b], 40_000, whole.dtype, (2,))
    for start, stop in ((30_000, 31_000), (31_000, 40_000)):
        for first in range(start, stop, 1000):
            grown(ada, number, whole[first : first + 1000])
        shown = Source(part.read, stop, whole.dtype, (2,))
        for name in ("mean", "minmax"):
            for points in (1, 7, 100):
                expected = thin(shown, points, name)
                expected = expected.read(0, expected.shape[0])
                got = read(ada, number, downsample=points, kind=name)
                np.testing.assert_allclose(got, expected, rtol=1e-6)
    row = row_of(site, number)
    assert (row.location["covered"], row.shape[0]) == (30_000, 40_000)
    old = row.levels_key
    look_after(site)
    row = row_of(site, number)
    assert (row.location["kind"], row.location["covered"]) == ("stored", 40_000)
    assert row.levels_key != old
    levels = Levels(site.app.service.store.source(row.levels_key))
    assert levels.length == 40_000
    levels.close()
    opener = ArrayOpener(site.app.service.store)
    assert opener.open(row).levels is not None
    opener.close()
    got = read(ada, number, downsample=100, kind="minmax")
    expected = thin(part, 100, "minmax").read(0, 100)
    np.testing.assert_array_equal(got, expected)


def test_pieces_are_few_and_replaced_ones_stay_for_a_while(plain):
    ada = plain.user("ada")
    whole = made_values("<i2", (600,))
    number = ada.array(whole[:1])
    store, sizes = plain.app.service.store, []
    with small_sizes():
        for start in range(1, 600, 67):
            grown(ada, number, whole[start : start + 67])
            look_after(plain, seconds=3600.0)
            sizes.append(len(pieces_of(row_of(plain, number).location, 600)))
        assert max(sizes) <= 9, sizes
        workshop = workshop_of(plain.app.service)
        old = {each.key for each in pieces_of(row_of(plain, number).location, 600)}
        look_after(plain)
        assert row_of(plain, number).location["kind"] == "stored"
        sweep(workshop)
        assert old <= set(store.keys())
        report = check_service(plain.database, store, digests=True)
        assert (report.findings, old & set(report.orphans)) == ([], set())
        with plain.database.writing() as conn:
            past = utc_now() - timedelta(days=2)
            conn.execute(update(DISCARDED).values(since=past))
        sweep(workshop)
        assert old & set(store.keys()) == set()
        with plain.database.reading() as conn:
            assert conn.execute(select(DISCARDED)).all() == []
    np.testing.assert_array_equal(read(ada, number), whole)


@pytest.mark.parametrize("moment", ["_join", "_join_all"])
def test_rows_that_come_while_pieces_are_joined_are_looked_after(plain, monkeypatch, moment):
    ada = plain.user("ada")
    number = ada.array(np.zeros(1))
    grown(ada, number, np.ones(1))
    done = getattr(merging, moment)

    def disturbed(workshop, row, *args, **options):
        if row.datafile_id != number:  # one that another test has left
            return done(workshop, row, *args, **options)
        monkeypatch.setattr(merging, moment, done)
        if moment == "_join_all":
            done(workshop, row, *args, **options)
        grown(ada, number, np.full(1, 2.0))
        if moment == "_join":  # what is joined is not there any more, and is taken back
            done(workshop, row, *args, **options)
        return None

    monkeypatch.setattr(merging, moment, disturbed)
    look_after(plain)
    assert row_of(plain, number).location["kind"] == "stored"
    np.testing.assert_array_equal(read(ada, number), [0, 1, 2])
    with plain.database.reading() as conn:
        kinds = conn.execute(select(JOBS.c.payload, JOBS.c.state)).all()
    states = [state for payload, state in kinds if payload == {"datafile": number}]
    assert states == ["done"] * (1 if moment == "_join" else 2)
    report = check_service(plain.database, plain.app.service.store, digests=True)
    assert report.findings == []


def test_backups_hold_all_pieces(plain, sqlite_database, tmp_path):
    ada = plain.user("ada")
    whole = made_values("<i2", (90, 2))
    number = ada.array(whole[:30])
    with small_sizes():
        for start in (30, 60):
            grown(ada, number, whole[start : start + 30])
    before = row_of(plain, number)
    assert before.location["kind"] == "pieces"
    target = io.BytesIO()
    written = write_backup(plain.database, plain.app.service.store, target)
    assert written.missing == []
    target.seek(0)
    other = FolderStore(tmp_path / "other")
    read_backup(sqlite_database, other, target)
    with sqlite_database.reading() as conn:
        row = array_of(conn, number)
        lengths = conn.execute(
            select(GROWTH.c.length).where(GROWTH.c.datafile_id == number).order_by("length")
        ).scalars()
        assert list(lengths) == [30, 60, 90]
    assert {each.key for each in pieces_of(row.location, 90)} <= set(other.keys())
    opener = ArrayOpener(other)
    np.testing.assert_array_equal(opener.open(row).read(0, 90, None), whole)
    opener.close()
    report = check_service(sqlite_database, other, digests=True)
    assert (report.findings, report.orphans) == ([], [])


def test_which_pieces_are_joined():
    mib = 2**20
    assert due([]) is None
    assert due([mib] * 15) is None
    assert due([mib] * 16) == Span(0, 16)
    assert due([mib] * 16 + [5, 3]) == Span(0, 16)  # what comes next is joined to the last ones
    assert due([100 * mib] + [mib] * 16) == Span(1, 17)
    assert due([100 * mib] * 15 + [mib]) == Span(0, 16)
    assert due([2**40] * 20) == Span(0, 20)
    assert due([5] * 30) is None
    assert due([80, 5, 5], is_quiet=True) == Span(0, 3)
    assert due([81, 5, 5], is_quiet=True) == Span(1, 3)
    assert due([9, 1], is_quiet=True) is None
    assert due([7], is_quiet=True) is None


def test_a_packed_file_is_left_to_the_others(plain):
    ada = plain.user("ada")
    number, other = ada.array(np.arange(4.0)), ada.array(np.zeros(1))
    both = store_array(plain.app.service.store, np.arange(8.0))
    with plain.database.writing() as conn:
        for each, offset in ((number, 0), (other, 32)):
            location = {"kind": "stored", "key": both.key, "offset": both.offset + offset}
            conn.execute(
                update(ARRAYS)
                .where(ARRAYS.c.datafile_id == each)
                .values(location={**location, "packed": True}, shape=[4])
            )
            values = np.arange(8.0)[offset // 8 :][:4].tobytes()
            content = hashlib.sha1(values, usedforsecurity=False).hexdigest()
            files = TABLES["datafile"]
            conn.execute(update(files).where(files.c.id == each).values(content=content))
    grown(ada, number, np.array([9.0]))
    look_after(plain)
    np.testing.assert_array_equal(read(ada, number), [0, 1, 2, 3, 9])
    np.testing.assert_array_equal(read(ada, other), [4, 5, 6, 7])
    assert row_of(plain, number).location["kind"] == "stored"
    store = plain.app.service.store

    def swept_later():
        with plain.database.writing() as conn:
            conn.execute(update(DISCARDED).values(since=utc_now() - timedelta(days=2)))
        sweep(workshop_of(plain.app.service))
        return both.key not in set(store.keys())

    assert not swept_later()  # the other array lies in it
    grown(ada, other, np.array([8.0]))
    look_after(plain)
    sweep(workshop_of(plain.app.service))
    assert both.key in set(store.keys())  # a backup may still be reading it
    assert swept_later()
    np.testing.assert_array_equal(read(ada, other), [4, 5, 6, 7, 8])


def test_in_an_object_store(new_sqlite):
    obstore = pytest.importorskip("obstore")
    from ephyrus.service.accounts import users
    from ephyrus.service.db.engine import Database
    from ephyrus.service.files.objectstore import ObjectStore
    from ephyrus.service.settings import Settings

    store = ObjectStore(obstore.store.MemoryStore())
    config = Settings(data_folder=new_sqlite(), merge_seconds=1e-6)
    database = Database(config)
    try:
        whole = made_values("<i2", (500, 2))
        info = store_array(store, whole[:10])
        with database.writing() as conn:
            user = users.create(conn, "ada").id
            made = NewObject(
                "datafile", "it", attributes={"name": "x"}, array=info.row, facts={"file_type": 5}
            )
            number = insert_tree(conn, user, [made])["it"]
        workshop = open_workshop(config, database=database, store=store)
        principal = Principal(user, scopes=frozenset({"read", "write"}))
        opener = ArrayOpener(store)
        with small_sizes():
            for start in range(10, 500, 49):
                with database.reading() as conn:
                    row = array_of(conn, number)
                sink = rows.RowSink(store, shape_of(row))
                sink.write(whole[start : start + 49].tobytes())
                append_rows(workshop, principal, [row], [sink.finish()], start=start)
                with database.reading() as conn:
                    row = array_of(conn, number)
                array = opener.open(row)
                np.testing.assert_array_equal(array.read(0, start + 49, None), whole[: start + 49])
                starts = np.array([0, 5, start - 3, start + 1])
                expected = np.stack([whole[each : each + 6] for each in starts])
                np.testing.assert_array_equal(array.gather(starts, 6, None), expected)
            with database.writing() as conn:
                conn.execute(update(JOBS).values(run_after=utc_now()))
            Worker(workshop).run_once()
        with database.reading() as conn:
            row = array_of(conn, number)
        assert row.location["kind"] == "stored"
        np.testing.assert_array_equal(opener.open(row).read(0, 500, None), whole)
        assert check_service(database, store, digests=True).findings == []
    finally:
        database.close()
