"""Files over HTTP: upload, what they are, download, conversion, archives."""

from __future__ import annotations

import asyncio
import io
import json
import random
import re
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from ephyrus.service.accounts import users
from ephyrus.service.accounts.passwords import Passwords
from ephyrus.service.files.work import CSV_DEFAULTS
from ephyrus.service.files.worker import Worker
from ephyrus.service.files.workshop import workshop_of
from ephyrus.service.settings import Settings
from tests.service.processes import PATIENCE
from tests.service.support import Site, User
from tests.synth import brainvision

ODML = b"""<?xml version="1.0" encoding="UTF-8"?>
<odML version="1">
  <author>A. Nobody</author><date>2020-02-03</date><version>1.1</version>
  <section><name>Subject</name><type>subject</type><definition>Who</definition>
    <property><name>Age</name><value>12<unit>d</unit><type>int</type></value></property>
    <property><name>Names</name><value>[a, "b, c"]</value><type>string</type></property>
    <section><name>Health</name><type>health</type></section>
  </section>
</odML>"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("site"), max_upload_bytes=2_000_000, upload_files=20) as made:
        yield made


@pytest.fixture(scope="module")
def bob(site: Site) -> User:
    return site.user("bob")


def hdf5(values, **options) -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w") as made:
        made.create_dataset("x", data=values, **options)
    return file.getvalue()


def send(user: User, *files: tuple[str, bytes], path: str = "/datafiles/", **fields):
    parts = [("raw_file", each) for each in files]
    return user.request("POST", path, files=parts, data=fields)


def sent(user: User, *files: tuple[str, bytes], **fields) -> list[dict]:
    answer = send(user, *files, **fields)
    assert answer.status_code == 201, answer.text
    return [item["fields"] | {"location": item["location"]} for item in answer.json()["selected"]]


def work(site: Site) -> int:
    return Worker(workshop_of(site.app.service)).run_once()


def task(user: User, number: int) -> dict:
    answer = user.get(f"/tasks/{number}/")
    assert answer.status_code == 200, answer.text
    return answer.json()


def keys(site: Site) -> set[str]:
    return set(site.app.service.store.keys())


def listed(user: User, kind: str, **filters) -> list[dict]:
    answer = user.get(f"/{kind}/", {"max_results": 1000, **filters})
    assert answer.status_code == 200, answer.text
    return [item["fields"] for item in answer.json()["selected"]]


def test_an_array_can_be_used_at_once(site, bob):
    values = np.arange(20.0) / 3
    data = hdf5(values)
    answer = send(bob, ("../x.h5", data), path="/datafiles/datafile/")
    assert answer.status_code == 201
    (item,) = answer.json()["selected"]
    fields = item["fields"]
    assert answer.headers["location"] == f"/datafiles/{item['id']}"
    assert item["location"] == f"/datafiles/datafile/{item['id']}"
    assert (fields["name"], fields["size"], fields["file_type"]) == ("x.h5", len(data), 5)
    assert fields["extracted_info"] == {"dtype": "<f8", "shape": [20]}
    assert (fields["safety_level"], fields["last_task_id"]) == (3, None)
    link = f"/datafiles/{item['id']}"
    assert bob.get(f"{link}/data?format=json").json() == values.tolist()
    whole = bob.get(f"{link}/download/")
    assert whole.content == data
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["content-disposition"].startswith('attachment; filename="x.h5"')
    tag = whole.headers["etag"]
    part = bob.get(f"{link}/download", headers={"Range": "bytes=2-5", "If-Range": tag})
    assert (part.status_code, part.content) == (206, data[2:6])
    assert part.headers["content-range"] == f"bytes 2-5/{len(data)}"
    other = bob.get(f"{link}/download", headers={"Range": "bytes=2-5", "If-Range": '"other"'})
    assert (other.status_code, other.content) == (200, data)
    behind = bob.get(f"{link}/download", headers={"Range": f"bytes={len(data)}-"})
    assert (behind.status_code, behind.json()["message_type"]) == (416, "range_not_satisfiable")
    assert bob.get(f"{link}/download", headers={"If-None-Match": tag}).status_code == 304
    head = bob.request("HEAD", f"{link}/download")
    assert (head.content, head.headers["content-length"]) == (b"", str(len(data)))
    assert bob.get(f"{link}/download?format=csv").status_code == 400
    assert site.user("eve").get(f"{link}/download").status_code == 403
    assert site.anonymous.get(f"{link}/download").status_code in (401, 403)


def test_texts_and_used_arrays(bob):
    times, labels = sent(
        bob,
        ("times.h5", hdf5([1.0, 2.5])),
        ("labels.h5", hdf5(["one", "\xfc"], dtype=h5py.string_dtype())),
    )
    assert labels["extracted_info"]["dtype"] == "|S3"
    made = bob.make(
        "electrophysiology/eventarray",
        times={"data": times["location"], "units": "ms"},
        labels={"data": labels["id"], "units": None},
    )
    link = made["fields"]["labels"]["data"]
    assert bob.get(f"{link}?format=json").json() == ["one", "\xfc"]
    answer = bob.delete(f"/datafiles/{labels['id']}/")
    assert (answer.status_code, answer.json()["message_type"]) == (409, "in_use")
    assert bob.delete(f"/electrophysiology/eventarray/{made['id']}").status_code == 200
    assert bob.delete(f"/datafiles/{labels['id']}/").status_code == 200
    assert bob.get(f"/datafiles/{labels['id']}/info").status_code == 404
    assert bob.get(f"/datafiles/{labels['id']}/download").status_code == 404


def test_hostile_files_are_kept_and_never_opened(bob, tmp_path):
    with h5py.File(tmp_path / "in", "w") as file:
        file["x"] = h5py.ExternalLink("/etc/passwd", "x")
    data = (tmp_path / "in").read_bytes()
    (fields,) = sent(bob, ("x.h5", data))
    assert fields["file_type"] == 0
    assert "link" in fields["extracted_info"]["note"]
    link = f"/datafiles/{fields['id']}"
    answer = bob.get(f"{link}/data")
    assert (answer.status_code, answer.json()["message_type"]) == (400, "no_hdf5_array")
    assert bob.get(f"{link}/download").content == data
    for path, kind in (("convert", "non_convertible"), ("extract", "not_an_archive")):
        answer = bob.get(f"{link}/{path}/")
        assert (answer.status_code, answer.json()["message_type"]) == (400, kind)


def test_what_is_wrong_with_an_upload_is_told(site, bob):
    before = keys(site)
    good = ("x.h5", hdf5([1.0]))
    cases = [
        (bob.request("POST", "/datafiles/", files={"other": good}), 400, "missing_parameter"),
        (bob.request("POST", "/datafiles/", data={"raw_file": "x"}), 400, "data_parsing_error"),
        (bob.post("/datafiles/", {"name": "x"}), 400, "data_parsing_error"),
        (send(bob, good, convert="maybe"), 400, "wrong_params"),
        (send(bob, good, section_id="999"), 400, "wrong_reference"),
        (send(bob, good, path="/datafiles/?section_id=999"), 400, "wrong_reference"),
        (send(bob, ("big", bytes(2_100_000))), 413, "too_large"),
        (send(bob, *[("x", b"1")] * 21), 413, "too_large"),
        (send(bob, good, caption="x" * 70_000), 413, "too_large"),
        (send(site.anonymous, good), 401, "not_authenticated"),
        (send(bob, good, sampling_rate="fast"), 400, "wrong_params"),
        (send(bob, good, units="\n"), 400, "units_missing"),
    ]
    for answer, status, kind in cases:
        assert (answer.status_code, answer.json()["message_type"]) == (status, kind), answer.text
    form = b'--b\r\nContent-Disposition: form-data; name="raw_file"; filename="x"\r\n\r\nabc'
    for body in (form, form + b"\r\n--b\r\nContent-Dis", b"nonsense"):
        answer = bob.request(
            "POST",
            "/datafiles/",
            content=body,
            headers={"Content-Type": "multipart/form-data; boundary=b"},
        )
        assert (answer.status_code, answer.json()["message_type"]) == (400, "data_parsing_error")
    assert keys(site) == before
    assert list(site.app.service.store.unfinished.iterdir()) == []


def test_sections_give_their_safety_level(site, bob):
    section = bob.make("metadata/section", name="s")
    bob.post(f"/metadata/section/{section['id']}/acl/", {"safety_level": 1})
    for fields in (
        sent(bob, ("x", b"?"), section_id=section["id"], caption="c", tags="t u")[0],
        sent(bob, ("x", b"?"), section_id=section["permalink"], caption="c", tags="t u")[0],
    ):
        assert (fields["safety_level"], fields["section"]) == (1, section["permalink"])
        assert (fields["caption"], fields["tags"]) == ("c", "t u")
    eve = site.user("eve")
    answer = send(eve, ("x", b"?"), path=f"/datafiles/?section_id={section['id']}")
    assert answer.status_code == 403
    assert send(eve, ("x", b"?"), section_id=section["id"]).status_code == 403
    assert site.anonymous.get(f"/datafiles/{fields['id']}/download").content == b"?"
    changed = bob.post("/datafiles/?bulk_update=1&caption=c", {"caption": "d"})
    assert (changed.status_code, changed.json()["objects_selected"]) == (200, 2)


def test_an_upload_that_breaks_off_leaves_nothing(site, bob):
    before, rows = keys(site), len(listed(bob, "datafiles"))
    head = b'--b\r\nContent-Disposition: form-data; name="raw_file"; filename="x"\r\n\r\n'
    messages = [
        {"type": "http.request", "body": head + bytes(1_500_000), "more_body": True},
        {"type": "http.request", "body": b"\r\n--b\r\n" + head[5:], "more_body": True},
        {"type": "http.disconnect"},
    ]
    _ask(site, bob, list(messages))
    assert keys(site) == before
    _ask(site, bob, messages[:2], hangs=True)  # cancelled, as a server does when it stops
    assert keys(site) == before
    assert list(site.app.service.store.unfinished.iterdir()) == []
    assert len(listed(bob, "datafiles")) == rows


def _ask(site: Site, user: User, messages: list[dict], *, hangs: bool = False) -> None:
    """Send a request by hand."""
    headers = {"host": "testserver", "content-type": "multipart/form-data; boundary=b"}
    headers |= {name.lower(): value for name, value in user.headers.items()}
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/datafiles/",
        "raw_path": b"/datafiles/",
        "query_string": b"",
        "scheme": "http",
        "server": ("testserver", 80),
        "client": ("127.0.0.1", 1),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }

    silent = asyncio.Event()

    async def receive() -> dict:
        if messages:
            return messages.pop(0)
        silent.set()
        await asyncio.sleep(3600)
        return {}

    async def send_(message: dict) -> None:
        """Nobody listens."""

    async def ask() -> None:
        task = asyncio.ensure_future(site.app(scope, receive, send_))
        if hangs:
            await asyncio.wait_for(silent.wait(), PATIENCE)
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(ask())


def test_csv_lines_become_signals(site, bob):
    text = b"\xef\xbb\xbffirst;1,5;2;;-3e2\r\n\r\n4;5\r\nthird;6;7;\r\n"
    (fields,) = sent(
        bob, ("a.csv", text), sampling_rate="2", sampling_rate_units="kHz", units="mV", t_start="5"
    )
    assert fields["file_type"] == 3
    assert work(site) == 1
    done = task(bob, fields["last_task_id"])
    assert (done["state"], done["details"]) == (
        "done",
        "made 1 block, 1 segment, 3 datafile, 3 analogsignal",
    )
    (block,) = done["objects"]["block"]
    signals = listed(bob, "electrophysiology/analogsignal", block=block)
    assert [each["name"] for each in signals] == ["first", "line 2", "third"]
    assert signals[0]["sampling_rate"] == {"units": "kHz", "data": 2.0}
    assert signals[0]["t_start"] == {"units": "s", "data": 5.0}
    assert signals[0]["signal"]["units"] == "mV"
    values = [bob.get(f"{each['signal']['data']}?format=json").json() for each in signals]
    assert values == [[1.5, 2.0, None, -300.0], [4.0, 5.0], [6.0, 7.0]]
    array = signals[0]["signal"]["data"]
    assert bob.get(f"{array}/download").headers["content-type"] == "application/x-hdf"
    again = bob.get(f"/datafiles/{fields['id']}/convert/")
    assert again.json()["message_type"] == "task_started"
    assert again.json()["task_id"] == fields["last_task_id"]
    assert bob.delete(block).status_code == 200
    anew = bob.post(f"/datafiles/{fields['id']}/convert").json()["task_id"]
    assert anew != fields["last_task_id"]
    assert work(site) == 1
    assert task(bob, anew)["state"] == "done"


def test_tasks_are_told_to_those_who_began_them(site, bob):
    (fields,) = sent(bob, ("a.csv", b"1,2\n"))
    number = fields["last_task_id"]
    assert task(bob, number)["state"] == "waiting"
    assert site.user("eve").get(f"/tasks/{number}").status_code == 404
    assert site.anonymous.get(f"/tasks/{number}").status_code == 401
    assert task(site.user("root", is_admin=True), number)["kind"] == "convert"
    assert bob.get("/tasks/99999999").status_code == 404
    link = f"/datafiles/{fields['id']}/convert"
    assert site.user("eve").get(link).status_code == 403
    reader = site.user("bob", scopes=frozenset({"read"}))
    assert reader.get(link).status_code == 403
    work(site)


def test_a_foreign_page_begins_nothing(site):
    """A link on another site's page is followed with the cookie; conversion begins by GET too."""
    with site.database.writing() as connection:
        password = Passwords(site.settings).hash("open sesame")
        users.create(connection, "carl", password_hash=password)
    form = {"username": "carl", "password": "open sesame"}
    login = site.http.post("/account/authenticate/", data=form)
    assert login.status_code == 200, login.text
    headers = {"Cookie": f"sessionid={login.cookies['sessionid']}"}
    site.http.cookies.clear()
    carl = User(site, "carl")
    carl.headers = headers
    (fields,) = sent(carl, ("a.csv", b"1,2\n"), convert="0")
    assert fields["last_task_id"] is None
    link = f"/datafiles/{fields['id']}/convert/"
    for foreign in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        for method in ("GET", "POST"):
            answer = carl.request(method, link, headers=foreign)
            assert (answer.status_code, answer.json()["message_type"]) == (403, "not_authorized")
    assert carl.one(f"/datafiles/{fields['id']}/info")["fields"]["last_task_id"] is None
    assert carl.get(link, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200
    assert work(site) == 1


def test_bad_csv_files_fail_and_say_where(site, bob):
    (fields,) = sent(bob, ("a.csv", (b"1," * 2000 + b"2\n") * 5 + b"4,five,6\n"))
    work(site)
    done = task(bob, fields["last_task_id"])
    assert done["state"] == "failed"
    assert "value 2 of the line at byte 20010 is no number: 'five'" in done["details"]
    info = bob.one(f"/datafiles/{fields['id']}/info")["fields"]
    assert "five" in info["operations_log"][-1]


def test_odml_becomes_metadata(site, bob):
    section = bob.make("metadata/section", name="here")
    (fields,) = sent(bob, ("a.odml", ODML), section_id=section["id"])
    assert fields["file_type"] == 4
    work(site)
    done = task(bob, fields["last_task_id"])
    assert done["state"] == "done", done
    (document,) = [bob.one(each)["fields"] for each in done["objects"]["document"]]
    assert (document["author"], document["date"]) == ("A. Nobody", "2020-02-03 00:00:00")
    (subject,) = listed(bob, "metadata/section", name="Subject")
    assert (subject["odml_type"], subject["definition"]) == ("subject", "Who")
    assert subject["document"] == done["objects"]["document"][0]
    (health,) = listed(bob, "metadata/section", name="Health")
    assert health["parent_section"] == f"/metadata/section/{subject['id']}"
    age, names = listed(bob, "metadata/property", section=subject["id"])
    assert (age["name"], age["unit"], age["dtype"]) == ("Age", "d", "int")
    assert [each["data"] for each in listed(bob, "metadata/value", property=age["id"])] == ["12"]
    values = listed(bob, "metadata/value", property=names["id"])
    assert [each["data"] for each in values] == ["a", "b, c"]


@pytest.mark.parametrize(
    "prolog",
    [
        b'<!DOCTYPE odML [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>',
        b'<!DOCTYPE odML SYSTEM "file:///etc/passwd">',
        b'<!DOCTYPE odML [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
    ],
)
def test_odml_with_entities_is_refused(site, bob, prolog):
    data = ODML.replace(b"?>\n", b"?>\n" + prolog, 1).replace(b"Who", b"&a;")
    (fields,) = sent(bob, ("a.odml", data), convert="0")
    answer = bob.post(f"/datafiles/{fields['id']}/convert?again=1")
    if answer.status_code == 400:  # it is not even taken for odML
        assert fields["file_type"] == 0
        return
    work(site)
    assert task(bob, answer.json()["task_id"])["state"] == "failed"


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> dict[str, bytes]:
    """A recording of three files."""
    folder = tmp_path_factory.mktemp("brainvision")
    sample = brainvision.samples()[0]
    path = sample.write(folder)
    return {each.name: each.read_bytes() for each in sorted(path.parent.iterdir())}


def test_a_recording_of_several_files_becomes_objects(site, bob, recording, tmp_path):
    import ephyrus

    section = bob.make("metadata/section", name="recording here")
    files = sent(bob, *recording.items(), section_id=section["id"])
    (main,) = [each for each in files if each["last_task_id"]]
    assert main["name"].endswith(".vhdr")
    assert (main["file_type"], main["extracted_info"]["format"]) == (2, "brainvision")
    work(site)
    done = task(bob, main["last_task_id"])
    assert done["state"] == "done", done
    for name, data in recording.items():
        (tmp_path / name).write_bytes(data)
    (block,) = done["objects"]["block"]
    signals = listed(bob, "electrophysiology/analogsignalarray", block=block)
    signals += listed(bob, "electrophysiology/analogsignal", block=block)
    got = {each["name"]: _read(bob, each["signal"]) for each in signals}
    with ephyrus.open(tmp_path / main["name"]) as opened:
        expected = opened.tree()[0].segments[0].analogsignals
        rate = float(opened.signals[0].rate)
        values = opened.read_scaled(0)
    assert len(got) == len(signals) == len(expected) > 0
    assert {each["sampling_rate"]["data"] for each in signals} == {rate}
    for signal in expected:
        np.testing.assert_array_equal(got[signal.name], signal.magnitude)
    top = bob.one(block)["fields"]
    assert top["section"] is not None
    nix = bob.get(f"/datafiles/{main['id']}/download?format=hdf5")
    assert nix.status_code == 200
    (tmp_path / "out.nix").write_bytes(nix.content)
    with ephyrus.open(tmp_path / "out.nix") as opened:
        read = [each.magnitude for each in opened.tree()[0].segments[0].analogsignals]
    assert sum(each.shape[1] for each in read) == values.shape[1]
    scratch = workshop_of(site.app.service).scratch.root
    assert list(scratch.iterdir()) == []
    other = next(each for each in files if each is not main)
    answer = bob.get(f"/datafiles/{other['id']}/download?format=hdf5")
    assert answer.status_code in (200, 400)


def _read(user: User, array: dict) -> np.ndarray:
    """Read the array of a signal: one column for each channel."""
    values = np.array(user.get(f"{array['data']}?format=json").json(), "f4")
    return values if values.ndim == 2 else values[:, np.newaxis]


def _zip(*members: tuple[str, bytes], **options) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = options.get("mode", 0) << 16
            archive.writestr(info, data)
    return file.getvalue()


def _tar(*members: tuple[str, bytes], mode: str = "w", kind: bytes = tarfile.REGTYPE) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            info.linkname = "/etc/passwd"
            info.size = len(data) if kind == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def extracted(site: Site, user: User, name: str, data: bytes, **fields) -> dict:
    (file,) = sent(user, (name, data), **fields)
    assert file["file_type"] in (6, 7), file
    answer = user.post(f"/datafiles/{file['id']}/extract/")
    assert answer.status_code == 200, answer.text
    work(site)
    return {**task(user, answer.json()["task_id"]), "file": file}


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.xz"])
def test_archives_become_sections_with_files(site, bob, recording, kind):
    array = hdf5(np.arange(5))
    members = [("a/b/x.h5", array), ("./readme", b"hello"), ("a/inner.zip", _zip(("y", b"1")))]
    members += [(f"rec/{name}", data) for name, data in recording.items()]
    if kind == "zip":
        data = _zip(*members)
    else:
        data = _tar(*members, mode="w:" + kind.partition(".")[2] if "." in kind else "w")
    done = extracted(site, bob, f"all.{kind}", data)
    assert done["state"] == "done", done
    (top,) = done["objects"]["section"]
    section = bob.one(top)["fields"]
    assert section["name"] == "all"
    below = {each["name"]: each for each in listed(bob, "metadata/section", parent_section=top)}
    assert set(below) == {"a", "rec"}
    (inner,) = listed(bob, "metadata/section", parent_section=below["a"]["id"])
    (kept,) = listed(bob, "datafiles", section=inner["id"])
    assert (kept["name"], kept["file_type"], inner["name"]) == ("x.h5", 5, "b")
    assert bob.get(f"/datafiles/{kept['id']}?format=json").json() == [0, 1, 2, 3, 4]
    assert bob.get(f"/datafiles/{kept['id']}/download").content == array
    (nested,) = listed(bob, "datafiles", section=below["a"]["id"])
    assert (nested["name"], nested["file_type"]) == ("inner.zip", 6)
    (plain,) = listed(bob, "datafiles", section=section["id"])
    assert bob.get(f"/datafiles/{plain['id']}/download").content == b"hello"
    kinds = {each["name"]: each for each in listed(bob, "datafiles", section=below["rec"]["id"])}
    (main,) = [each for name, each in kinds.items() if name.endswith(".vhdr")]
    assert main["file_type"] == 2
    number = bob.get(f"/datafiles/{main['id']}/convert/").json()["task_id"]
    work(site)
    assert task(bob, number)["state"] == "done"


HOSTILE = {
    "absolute": _zip(("/etc/x", b"1")),
    "upwards": _zip(("a/../../x", b"1")),
    "upwards, backslashes": _zip(("a\\..\\..\\x", b"1")),
    "drive": _zip(("C:\\x", b"1")),
    "link in zip": _zip(("x", b"/etc/passwd"), mode=0o120777),
    "device in zip": _zip(("x", b""), mode=0o060666),
    "bomb": _zip(("x", bytes(70_000_000))),
    "many": _zip(*[(f"{each}", b"") for each in range(60)]),
    "deep": _zip(("a/" * 40 + "x", b"1")),
    "cut": _zip(("x", random.Random(1).randbytes(100_000)))[:-30],
    "damaged": _zip(("x", random.Random(1).randbytes(10_000))).replace(
        b"PK\x03\x04", b"PK\x03\x05"
    ),
    "absolute in tar": _tar(("/etc/x", b"1")),
    "upwards in tar": _tar(("../x", b"1")),
    "link in tar": _tar(("x", b""), kind=tarfile.SYMTYPE),
    "hard link in tar": _tar(("x", b""), kind=tarfile.LNKTYPE),
    "device in tar": _tar(("x", b""), kind=tarfile.CHRTYPE),
    "pipe in tar": _tar(("x", b""), kind=tarfile.FIFOTYPE),
    "bomb in tar": _tar(("x", bytes(70_000_000)), mode="w:xz"),
    "cut tar": _tar(("x", bytes(1_000)), ("y", random.Random(1).randbytes(60_000)))[:30_000],
}


@pytest.fixture(scope="module")
def strict(tmp_path_factory) -> Iterator[tuple[Site, User]]:
    with Site(tmp_path_factory.mktemp("strict"), archive_max_files=50) as made:
        yield made, made.user("bob")


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archives_give_nothing(strict, name):
    site, bob = strict
    (file,) = sent(bob, (f"{name}.zip", HOSTILE[name]))
    if file["file_type"] not in (6, 7):
        return
    answer = bob.post(f"/datafiles/{file['id']}/extract/")
    before = keys(site)
    work(site)
    done = task(bob, answer.json()["task_id"])
    assert (done["state"], done["attempts"]) == ("failed", 1), done
    assert listed(bob, "metadata/section") == []
    assert keys(site) == before
    scratch = workshop_of(site.app.service).scratch.root
    assert list(scratch.iterdir()) == []


def test_overviews_of_long_arrays_are_built(site, bob):
    values = np.random.default_rng(0).integers(-100, 100, (200_000,)).astype("i2")
    (fields,) = sent(bob, ("x.h5", hdf5(values)))
    assert work(site) == 1
    with site.database.reading() as connection:
        from ephyrus.service.catalog.reading import array_of

        row = array_of(connection, fields["id"])
    assert row.levels_key in keys(site)
    link = f"/datafiles/{fields['id']}/data"
    got = bob.get(f"{link}?downsample=10&kind=minmax&format=json").json()
    bins = values.reshape(5, -1)
    assert sorted(got) == sorted([*bins.min(1).tolist(), *bins.max(1).tolist()])
    assert json.dumps(got) == json.dumps([int(each) for each in got])


def test_everything_works_in_an_object_store(tmp_path, recording):
    address = f"file://{tmp_path / 'objects'}"
    (tmp_path / "objects").mkdir()
    with Site(tmp_path / "data", array_store=address) as site:
        bob = site.user("bob")
        values = np.arange(60_000.0)
        data = hdf5(values)
        (array,) = sent(bob, ("x.h5", data))
        assert bob.get(f"/datafiles/{array['id']}/download").content == data
        part = bob.get(f"/datafiles/{array['id']}/data?format=json&start_index=59998").json()
        assert part == [59998.0, 59999.0]
        files = sent(bob, *recording.items())
        (number,) = [each["last_task_id"] for each in files if each["last_task_id"]]
        assert work(site) == 2
        done = task(bob, number)
        assert done["state"] == "done", done
        assert len(keys(site)) > len(files) + 3
        assert not (tmp_path / "data" / "arrays").exists()


def test_the_page_on_files_names_the_settings_as_they_are():
    page = (Path(__file__).parents[2] / "docs" / "service" / "files.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", page, flags=re.MULTILINE)
    assert len(rows) == 16
    for name, value in rows:
        assert str(Settings.model_fields[name].default) == value, name
    for name, value in CSV_DEFAULTS.items():
        assert f"`{name}` ({value:g})" in page if value in (0, 1) else f"({value})" in page


def test_store_is_a_folder_below_the_data(site):
    assert Path(site.app.service.store.root) == site.settings.data_folder / "arrays"
