"""Appending to arrays: every row that was acknowledged is there, once; the others are refused."""

from __future__ import annotations

import io
import json
import threading
from datetime import timedelta

import h5py
import numpy as np
import pytest
from sqlalchemy import select, update

from ephyrus.service.accounts.tables import utc_now
from ephyrus.service.arrays.pieces import pieces_of
from ephyrus.service.catalog.bulk import NewObject, insert_tree
from ephyrus.service.db.schema import ARRAYS, DISCARDED, GROWTH, JOBS, TABLES
from ephyrus.service.errors import ServiceError
from ephyrus.service.files import appending, jobs, rows
from ephyrus.service.files.appending import append_rows, growing_arrays, shape_of
from ephyrus.service.files.workshop import open_workshop, workshop_of
from ephyrus.service.principals import Principal
from ephyrus.service.upkeep.check import check_service
from tests.service.appends import (
    JSON,
    LIMIT,
    NPY,
    RAW,
    SETTINGS,
    grown,
    hdf5,
    look_after,
    made_values,
    npy,
    read,
    refused,
    row_of,
    send,
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


def test_the_guid_follows_and_older_moments_keep_their_length(site, ada):
    values = np.arange(9, dtype="<f8")
    number = ada.array(values[:4])
    segment = ada.make("electrophysiology/segment", name="s")
    signal = ada.make(
        "electrophysiology/analogsignal",
        segment=segment["fields"]["id"],
        sampling_rate={"data": 1, "units": "khz"},
        t_start={"data": 0, "units": "ms"},
        signal={"data": number, "units": "mv"},
    )
    path = signal["permalink"]
    etag = ada.get(f"/datafiles/{number}/data").headers["etag"]
    guids = [ada.one(f"/datafiles/{number}/info")["fields"]["guid"]]
    owners = [signal["fields"]["guid"]]
    for stop in (6, 9):
        start = 4 if stop == 6 else 6
        guids.append(grown(ada, number, values[start:stop])["guid"])
        shown = ada.one(path, start_index=1)
        owners.append(shown["fields"]["guid"])
        assert shown["arrays"]["signal"]["shape"] == [stop]
        assert shown["partial"]["end_index"] == stop
        assert shown["partial"]["t_stop"] == {"units": "ms", "data": stop}
    assert len(set(guids)) == len(set(owners)) == 3
    again = ada.get(f"/datafiles/{number}/data", headers={"if-none-match": etag})
    assert again.status_code == 200
    with site.database.reading() as conn:
        times = conn.execute(
            select(GROWTH.c.starts_at, GROWTH.c.length)
            .where(GROWTH.c.datafile_id == number)
            .order_by(GROWTH.c.starts_at)
        ).all()
    assert [length for _, length in times] == [4, 6, 9]
    for (moment, length), guid in zip(times[1:], guids[1:], strict=True):
        at = {"at_time": moment.isoformat()}
        np.testing.assert_array_equal(read(ada, number, **at), values[:length])
        assert ada.one(f"/datafiles/{number}/info", **at)["fields"]["guid"] == guid
        assert ada.one(path, **at)["arrays"]["signal"]["shape"] == [length]
        body = ada.get(f"/datafiles/{number}/download", at).content
        with h5py.File(io.BytesIO(body)) as file:
            np.testing.assert_array_equal(file["data"][:], values[:length])
    before = {"at_time": (times[1][0] - timedelta(microseconds=1)).isoformat()}
    np.testing.assert_array_equal(read(ada, number, **before), values[:4])
    look_after(site)
    np.testing.assert_array_equal(read(ada, number, **before), values[:4])
    np.testing.assert_array_equal(read(ada, number), values)
    assert ada.one(f"/datafiles/{number}/info")["fields"]["guid"] == guids[-1]
    changes = [each["changed"] for each in ada.get(f"{path}/history").json()["selected"]]
    assert changes == [["created"], ["signal"], ["signal"]]


def test_two_who_append_to_the_same_place(site, ada):
    number = ada.array(np.empty(0, "<i4"))
    workshop = workshop_of(site.app.service)
    principal = Principal(site.ids["ada"], scopes=frozenset({"read", "write"}))
    won: list[list[int]] = [[], []]
    failures: list[BaseException] = []

    def work(me):
        try:
            while len(won[me]) < 8:
                with site.database.reading() as conn:
                    (row,) = growing_arrays(conn, principal, [number])
                start = row.shape[0]
                sink = rows.RowSink(workshop.store, shape_of(row))
                sink.write(np.array([me, start], "<i4").tobytes())
                refusal = None
                try:
                    append_rows(workshop, principal, [row], [sink.finish()], start=start)
                except ServiceError as error:
                    refusal = error
                if refusal is None:
                    won[me].append(start)
                else:
                    assert refusal.message_type == "length_differs"
                    assert refusal.details["length"] > start
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=work, args=(me,)) for me in (0, 1)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failures == []
    assert sorted(won[0] + won[1]) == list(range(0, 32, 2))
    expected = np.empty((16, 2), "<i4")
    for me, starts in enumerate(won):
        for start in starts:
            expected[start // 2] = me, start
    np.testing.assert_array_equal(read(ada, number), expected.ravel())


def test_an_answer_that_was_lost_does_no_harm(site, ada):
    number = ada.array(np.arange(3.0))
    grown(ada, number, np.array([3.0]), start_index=3)
    message, details = refused(
        send(ada, number, np.array([3.0]), start_index=3), 409, "length_differs"
    )
    assert message == (
        f"The array {number} has 4 rows, not 3: nothing was appended. Send what follows the last "
        "row that it has."
    )
    assert details == {"datafile": number, "length": 4, "start_index": 3}
    refused(send(ada, number, np.array([3.0]), start_index=5), 409, "length_differs")
    guid = ada.one(f"/datafiles/{number}/info")["fields"]["guid"]
    old = {**RAW, "if-match": "0" * 40}
    answer = ada.request(
        "POST", f"/datafiles/{number}/append", content=np.ones(1).tobytes(), headers=old
    )
    refused(answer, 412, "precondition_failed")
    answer = ada.request(
        "POST",
        f"/datafiles/datafile/{number}/append/",
        content=np.ones(1).tobytes(),
        headers={**RAW, "if-match": guid},
    )
    assert answer.status_code == 200
    np.testing.assert_array_equal(read(ada, number), [0, 1, 2, 3, 1])


@pytest.mark.parametrize(
    ("dtype", "items", "sent", "expected"),
    [
        ("<f4", (), [1, 2.5, None], [1, 2.5, np.nan]),
        ("<i2", (2,), [[1, 2], [-3, 4]], [[1, 2], [-3, 4]]),
        ("|u1", (), [True, False, 7], [1, 0, 7]),
        ("|S4", (), ["ä", "abcd", ""], ["ä".encode(), b"abcd", b""]),
        ("<u8", (), [2**64 - 1, 0], [2**64 - 1, 0]),
    ],
)
def test_json(plain, dtype, items, sent, expected):
    ada = plain.user("ada")
    number = ada.array(np.zeros((1, *items), dtype))
    answer = ada.post(f"/datafiles/{number}/append?format=json", sent)
    assert answer.status_code == 200, answer.text
    np.testing.assert_array_equal(read(ada, number)[1:], np.array(expected, dtype))
    if dtype[1] in "iu":
        for other in (2**70, 1.5, "1", None):
            row = np.full(items, other).tolist()
            answer = ada.post(f"/datafiles/{number}/append?format=json", [row])
            refused(answer, 400, "data_inconsistency")


def test_npy_of_every_version_and_in_small_pieces(plain):
    ada = plain.user("ada")
    number = ada.array(np.zeros((1, 2), "<f8"))
    values = made_values("<f8", (400, 2))
    body = io.BytesIO()
    np.lib.format.write_array(body, values, (2, 0))
    pieces = (body.getvalue()[at : at + 7] for at in range(0, len(body.getvalue()), 7))
    with small_sizes():
        answer = ada.request("POST", f"/datafiles/{number}/append", content=pieces, headers=NPY)
    assert answer.status_code == 200, answer.text
    np.testing.assert_array_equal(read(ada, number)[1:], values)
    flags = ada.array(np.zeros(1, "?"))
    answer = ada.request(
        "POST", f"/datafiles/{flags}/append", content=npy(np.array([True, False])), headers=NPY
    )
    assert answer.status_code == 200
    np.testing.assert_array_equal(read(ada, flags), [0, 1, 0])


def test_hdf5_as_uploads_take_it(plain):
    ada = plain.user("ada")
    values = np.arange(12, dtype="<i4")
    files = {"raw_file": ("signal.h5", hdf5(values[:5]))}
    answer = ada.request("POST", "/datafiles/", files=files)
    number = answer.json()["selected"][0]["fields"]["id"]
    kept = set(plain.app.service.store.keys())
    answer = ada.request(
        "POST",
        f"/datafiles/{number}/append",
        content=hdf5(values[5:]),
        headers={"content-type": "application/x-hdf"},
    )
    assert answer.status_code == 200, answer.text
    np.testing.assert_array_equal(read(ada, number), values)
    downloaded = ada.get(f"/datafiles/{number}/download")
    assert 'filename="signal.h5"' in downloaded.headers["content-disposition"]
    with h5py.File(io.BytesIO(downloaded.content)) as file:
        np.testing.assert_array_equal(file["data"][:], values)
    described = ada.one(f"/datafiles/{number}/info")["fields"]
    assert described["extracted_info"]["shape"] == [12]
    assert described["size"] == len(downloaded.content)
    form = {"raw_file": ("more.h5", hdf5(values[:3].astype("<f4")))}
    answer = ada.request("POST", f"/datafiles/{number}/append", files=form)
    refused(answer, 400, "data_inconsistency")
    assert len(set(plain.app.service.store.keys()) - kept) == 1  # the rows, nothing else
    report = check_service(plain.database, plain.app.service.store, digests=True)
    assert (report.findings, report.orphans) == ([], [])


REFUSED = {
    "other type": (
        {"format": "npy"},
        npy(np.zeros((2, 3), "<i4")),
        "data_inconsistency",
        "The array has rows of type <f4 and shape (3); those that were sent are of type <i4 and "
        "shape (3). Send them as the array has them.",
    ),
    "other width": (
        {"format": "npy"},
        npy(np.zeros((2, 4), "<f4")),
        "data_inconsistency",
        "The array has rows of type <f4 and shape (3); those that were sent are of type <f4 and "
        "shape (4). Send them as the array has them.",
    ),
    "cut row": (
        {"format": "raw"},
        bytes(13),
        "data_inconsistency",
        "A row has 12 bytes, and the body ends 1 bytes behind the last whole one.",
    ),
    "nothing": (
        {"format": "raw"},
        b"",
        "data_missing",
        "The body holds no rows; send one at least.",
    ),
    "Fortran": (
        {"format": "npy"},
        npy(np.asfortranarray(np.ones((2, 3), "<f4"))),
        "bad_parameter",
        "This is not an array that is kept: it is in Fortran order; write "
        "numpy.ascontiguousarray(values), which is in C order.",
    ),
    "no npy": (
        {"format": "npy"},
        b"hello, this is no array",
        "bad_parameter",
        'This is not an array that is kept: it does not begin as a ".npy" file does; write it with '
        "numpy.save.",
    ),
    "infinite": (
        {"format": "json"},
        b"[[1e999, 2, 3]]",
        "data_inconsistency",
        "A number does not fit into the type of the array, <f4.",
    ),
    "cut npy": (
        {"format": "npy"},
        npy(np.zeros((2, 3), "<f4"))[:-1],
        "data_parsing_error",
        "The body ends within the NumPy file 1 of 1.",
    ),
    "long npy": (
        {"format": "npy"},
        npy(np.zeros((2, 3), "<f4")) + b"x",
        "data_inconsistency",
        "The body goes on behind the last array that was named.",
    ),
    "no JSON": ({"format": "json"}, b"[1, NaN]", "data_parsing_error", "The body is not JSON."),
    "no list": (
        {"format": "json"},
        b'{"a": 1}',
        "data_parsing_error",
        "The body must be a JSON list of rows.",
    ),
    "ragged": (
        {"format": "json"},
        b"[[1, 2, 3], [1]]",
        "data_inconsistency",
        "Each row must be of shape (3).",
    ),
    "texts": (
        {"format": "json"},
        b'[["1", 2, 3]]',
        "data_inconsistency",
        "The array holds numbers; something else was sent.",
    ),
    "huge": (
        {"format": "json"},
        b"[[1e300, 2, 3]]",
        "data_inconsistency",
        "A number does not fit into the type of the array, <f4.",
    ),
    "format": (
        {"format": "csv"},
        b"",
        "wrong_params",
        "format is 'csv'; rows are sent as raw, npy, json or hdf5.",
    ),
    "past": ({"format": "raw", "at_time": "2020-01-01"}, b"", "wrong_params", None),
    "start": ({"format": "raw", "start_index": "-1"}, b"", "wrong_params", None),
    "twice": (
        {"format": "npy", "with": "{id}"},
        b"",
        "wrong_params",
        "with must name at most 7 other datafiles, each once.",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(plain, name):
    params, body, kind, message = REFUSED[name]
    ada = plain.user("ada")
    number = _kept_array(plain, ada)
    params = {key: value.format(id=number) for key, value in params.items()}
    answer = ada.request("POST", f"/datafiles/{number}/append", content=body, params=params)
    told, _ = refused(answer, 400, kind)
    assert message in (None, told)
    assert read(ada, number).shape == (1, 3)


def _kept_array(site, user):
    known = getattr(site, "kept_array", None)
    if known is None:
        known = site.kept_array = user.array(np.zeros((1, 3), "<f4"))
    return known


def test_headers_are_checked_where_they_are_sent(plain):
    ada = plain.user("ada")
    number = ada.array(np.zeros((1, 3), "<f4"))
    body = np.ones((2, 3), "<f4").tobytes()
    path = f"/datafiles/{number}/append"

    def sent(**headers):
        named = {f"x-array-{name}": value for name, value in headers.items()}
        return ada.request("POST", path, content=body, headers={**RAW, **named})

    refused(sent(dtype="<f8"), 400, "data_inconsistency")
    for name in ("numbers", "(1,", "(2,)f4", "f4,f4", "O", "{}", "<f3", "08"):
        refused(sent(dtype=name), 400, "data_parsing_error")
    refused(sent(shape="2,4"), 400, "data_inconsistency")
    refused(sent(shape="2;3"), 400, "data_parsing_error")
    message, _ = refused(sent(shape="3,3"), 400, "data_inconsistency")
    assert message == "X-Array-Shape tells of 3 rows, the body holds 2."
    message, details = refused(
        ada.request("POST", path, content=body, headers={"content-type": "text/plain"}),
        400,
        "data_parsing_error",
    )
    assert "say what they are with format=raw, npy, json or hdf5" in message
    assert details == {"content_type": "text/plain"}
    assert sent(dtype="<f4", shape="2,3").status_code == 200
    assert read(ada, number).shape == (3, 3)


def test_limits(plain):
    ada = plain.user("ada")
    number = ada.array(np.zeros(1, "<f8"))
    keys = set(plain.app.service.store.keys())
    unfinished = plain.app.service.store.unfinished
    answer = send(ada, number, np.zeros(LIMIT // 8 + 1))
    assert refused(answer, 413, "too_large")[1] == {"limit": LIMIT}
    with small_sizes():  # of a body whose length is not told the beginning is in the store by then
        blocks = (bytes(2**12) for _ in range(LIMIT // 2**12 + 1))
        answer = ada.request("POST", f"/datafiles/{number}/append", content=blocks, headers=RAW)
        refused(answer, 413, "too_large")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(appending, "MOST_PIECES", 1)
        grown(ada, number, np.zeros(1))  # lies together with what was there
        answer = send(ada, number, np.zeros(1))
        assert answer.status_code == 200
        patch.setattr(appending, "HELD", 0)
        message, _ = refused(send(ada, number, np.zeros(1)), 503, "unavailable")
        assert "ephyrus worker" in message
    workshop = workshop_of(plain.app.service)
    few = workshop.settings.model_copy(update={"max_array_bytes": 40})
    opened = open_workshop(few, database=workshop.database, store=workshop.store)
    principal = Principal(plain.ids["ada"], scopes=frozenset({"read", "write"}))
    row = row_of(plain, number)
    sink = rows.RowSink(workshop.store, shape_of(row))
    sink.write(np.zeros(3).tobytes())
    with pytest.raises(ServiceError, match="at most 40 bytes; begin another one") as caught:
        append_rows(opened, principal, [row], [sink.finish()])
    assert caught.value.status == 413
    assert read(ada, number).shape == (3,)
    assert list(unfinished.iterdir()) == []
    named = {piece.key for piece in pieces_of(row.location, 3)}
    with plain.database.reading() as conn:
        waiting = set(conn.execute(select(DISCARDED.c.key)).scalars())
    left = set(plain.app.service.store.keys()) - keys - named - waiting
    assert len(left) == 1  # of the answer 503, which may be sent again


def test_who_may_append(site, ada):
    eve = site.user("eve")
    number = ada.array(np.zeros(2))
    refused(send(eve, number, np.zeros(1)), 403, "not_authorized")
    ada.post(f"/datafiles/{number}/acl", {"shared_with": {"eve": 1}})
    refused(send(eve, number, np.zeros(1)), 403, "not_authorized")
    ada.post(f"/datafiles/{number}/acl", {"shared_with": {"eve": 2}})
    grown(eve, number, np.zeros(1))
    refused(send(site.anonymous, number, np.zeros(1)), 401, "not_authenticated")
    refused(send(ada, 10**6, np.zeros(1)), 404, "does_not_exist")


def test_what_does_not_grow(site, ada):
    with site.database.writing() as conn:
        text = insert_tree(
            conn, site.ids["ada"], [NewObject("datafile", "it", attributes={"name": "notes"})]
        )["it"]
    message, _ = refused(send(ada, text, np.zeros(1)), 400, "no_hdf5_array")
    assert message == f"The datafile {text} holds no array, so that nothing can be appended to it."
    served, busy, empty = (ada.array(np.zeros((1, size))) for size in (1, 1, 0))
    with site.database.writing() as conn:
        recorded = {"kind": "recorded", "recording": 1, "address": {}, "field": "signal"}
        here = ARRAYS.c.datafile_id == served
        conn.execute(update(ARRAYS).where(here).values(location=recorded))
        task = jobs.enqueue(conn, "convert", {"datafile": busy}, user_id=site.ids["ada"])
        files_table = TABLES["datafile"]
        here = files_table.c.id == busy
        conn.execute(update(files_table).where(here).values(last_task_id=task))
    message, _ = refused(send(ada, served, np.zeros(1)), 403, "not_authorized")
    assert "a recording that is served from its own files" in message
    message, details = refused(send(ada, busy, np.zeros(1)), 409, "in_use")
    assert details == {"datafile": busy, "task_id": task}
    refused(send(ada, empty, np.zeros(1)), 400, "data_inconsistency")
    with site.database.writing() as conn:
        conn.execute(update(JOBS).where(JOBS.c.id == task).values(state="done"))
        conn.execute(ARRAYS.delete().where(ARRAYS.c.datafile_id == served))
    grown(ada, busy, np.zeros(1))


def test_arrays_that_belong_together_grow_together(site, ada):
    times = ada.array(np.array([1.0, 2.0]))
    labels = ada.array(np.array([b"a", b"b"], "S3"))
    segment = ada.make("electrophysiology/segment", name="s")
    events = ada.make(
        "electrophysiology/eventarray",
        segment=segment["fields"]["id"],
        times={"data": times, "units": "s"},
        labels={"data": labels, "units": None},
    )
    message, details = refused(send(ada, times, np.array([3.0])), 400, "data_inconsistency")
    number = events["fields"]["id"]
    assert message == (
        f"The eventarray {number} owns the array, and its labels must be as long: append to all "
        f"of them in one request (with={labels})."
    )
    assert details == {"type": "eventarray", "id": number, "with": {"labels": labels}}
    path = f"/datafiles/{times}/append?start_index=2&with={labels}"
    body = npy(np.array([3.0, 4.0]), np.array([b"c", b"ddd"], "S3"))
    answer = ada.request("POST", path, content=body, headers=NPY)
    assert answer.status_code == 200, answer.text
    told = answer.json()["appended"]
    assert [(each["id"], each["start_index"], each["length"]) for each in told] == [
        (times, 2, 4),
        (labels, 2, 4),
    ]
    path = f"/datafiles/{times}/append?with={labels}"
    answer = ada.request("POST", path, content=json.dumps([[5.0], ["ä"]]), headers=JSON)
    assert answer.status_code == 200, answer.text
    np.testing.assert_array_equal(read(ada, times), [1, 2, 3, 4, 5])
    assert read(ada, labels).tolist() == [b"a", b"b", b"c", b"ddd", "ä".encode()]
    shown = ada.one(events["permalink"], start_time=2, end_time=3)
    assert shown["fields"]["labels"]["data"] == f"/datafiles/{labels}?start_index=1&end_index=3"
    for sent in ([[6.0], []], [[6.0]], [[6.0], ["a"], ["b"]]):
        answer = ada.request("POST", path, content=json.dumps(sent), headers=JSON)
        assert answer.status_code == 400
    answer = ada.request("POST", path, content=json.dumps([[6.0], ["toolong"]]), headers=JSON)
    message, _ = refused(answer, 400, "data_inconsistency")
    assert message.startswith("The array holds texts of at most 3 bytes")
    answer = ada.request("POST", path, content=npy(np.ones(2), np.array([b"a"], "S3")), headers=NPY)
    message, _ = refused(answer, 400, "data_inconsistency")
    assert message == "As many rows are needed for each array: 2, 1 were sent."
    refused(ada.request("POST", path, content=b"", headers=RAW), 400, "wrong_params")
    answer = ada.request(
        "POST", path, content=npy(np.ones(1), np.array([b"\xff"], "S3")), headers=NPY
    )
    assert refused(answer, 400, "data_inconsistency")[0] == "The texts are not UTF-8."
    spike = ada.array(np.zeros((2, 5)))
    ada.make(
        "electrophysiology/spike",
        time={"data": 1, "units": "ms"},
        waveform={"data": spike, "units": "mv"},
    )
    refused(send(ada, spike, np.zeros((1, 5))), 400, "data_inconsistency")
    assert len(read(ada, times)) == len(read(ada, labels)) == 5


def test_the_order_of_times_is_known(site, ada):
    number = ada.array(np.array([1.0, 2.0]))
    train = ada.make(
        "electrophysiology/spiketrain",
        t_start={"data": 0, "units": "s"},
        t_stop={"data": 100, "units": "s"},
        times={"data": number, "units": "s"},
    )
    window = {"start_time": 2, "end_time": 4}
    grown(ada, number, np.array([2.0, 3.0]))
    grown(ada, number, np.array([5.0]))
    assert row_of(site, number).sorted is True
    shown = ada.one(train["permalink"], **window)["fields"]["times"]["data"]
    assert shown == f"/datafiles/{number}?start_index=1&end_index=4"
    grown(ada, number, np.array([4.0]))
    assert row_of(site, number).sorted is False
    shown = ada.one(train["permalink"], **window)["fields"]["times"]["data"]
    assert shown == f"/datafiles/{number}?window=2:4&by={number}"
    assert ada.get(f"{shown}&format=json").json() == [2, 2, 3, 4]
    other = ada.array(np.array([1, 2], "<i8"))
    grown(ada, other, np.array([3, 2], "<i8"))
    assert row_of(site, other).sorted is False
    other = ada.array(np.empty(0, "<f4"))
    grown(ada, other, np.array([3, 4], "<f4"))
    assert row_of(site, other).sorted is True
    grown(ada, other, np.array([np.nan], "<f4"))
    assert row_of(site, other).sorted is False


def test_events_tell_of_rows(site, ada):
    number = ada.array(np.arange(4.0))
    segment = ada.make("electrophysiology/segment", name="s")
    signal = ada.make(
        "electrophysiology/analogsignal",
        segment=segment["fields"]["id"],
        sampling_rate={"data": 1, "units": "khz"},
        t_start={"data": 0, "units": "ms"},
        signal={"data": number, "units": "mv"},
    )
    since = utc_now().isoformat()
    grown(ada, number, np.zeros(2))
    told = grown(ada, number, np.zeros(3))
    heard = _heard(ada, since)
    facts = {
        "type": "datafile",
        "id": number,
        "permalink": f"/datafiles/{number}",
        "guid": told["guid"],
        "start_index": 4,
        "length": 9,
    }
    assert ("appended", facts) in [(name, each) for _, name, each in heard]
    assert [each["permalink"] for _, name, each in heard if name == "changed"] == [
        signal["permalink"]
    ]
    since = heard[-1][0]
    grown(ada, number, np.zeros(1))
    ada.post(f"/datafiles/{number}", {"caption": "longer"})
    heard = [(name, each) for _, name, each in _heard(ada, since) if each["type"] == "datafile"]
    assert [name for name, _ in heard] == ["appended", "changed"]
    assert (heard[0][1]["start_index"], heard[0][1]["length"]) == (9, 10)
    assert _heard(site.user("eve"), since) == []


def _heard(user, since):
    answer = user.get("/events/", {"since": since})
    found = []
    for text in answer.text.strip().split("\n\n")[1:]:
        lines = dict(line.split(": ", 1) for line in text.split("\n"))
        found.append((lines["id"], lines["event"], json.loads(lines["data"])))
    return found
