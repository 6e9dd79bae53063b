"""``ephyrus serve``: what it says, what it refuses, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import pytest

from ephyrus.cli.service import needed
from tests.cli.conftest import PROGRAM


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """What the service keeps stays within the test."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))


def test_one_request_is_shown(run, eeg):
    found = run("serve", eeg.path, "--once", "--port", 0)
    assert found.code == 0
    lines = found.out.splitlines()
    assert lines[0].startswith(f"serving {eeg.path} at http://127.0.0.1:")
    assert lines[1].startswith("token   eph_")
    assert found.err.splitlines() == ["info: 1 recording served"]
    requests = [line for line in lines if line.startswith("GET ")]
    assert requests == [
        "GET /electrophysiology/analogsignalarray/1?start_index=0&samples_count=5&format=json",
        "GET /datafiles/1?start_index=0&end_index=5&format=json",
    ]
    begin, end = lines.index(requests[0]) + 1, lines.index(requests[1])
    shown = json.loads("\n".join(lines[begin:end]))
    assert shown["permalink"] == "/electrophysiology/analogsignalarray/1"
    assert shown["fields"]["sampling_rate"] == {"units": "Hz", "data": 1000.0}
    assert shown["fields"]["signal"]["units"] == "uV"
    np.testing.assert_allclose(json.loads(lines[-1]), eeg.values[:5, :2], rtol=1e-6)


def test_nothing_to_show(run, tmp_path):
    (tmp_path / "empty").mkdir()
    found = run("serve", tmp_path / "empty", "--once", "--port", 0)
    assert found.code == 1
    assert found.errors == [
        "info: 0 recordings served",
        "warning: there are no data in these recordings",
    ]


def test_what_cannot_be_read_is_told_at_each_start(run, eeg):
    text = eeg.path.read_text("utf-8").replace("NumberOfChannels=3", "NumberOfChannels=x")
    eeg.path.write_text(text, "utf-8")
    for _ in range(2):
        found = run("serve", eeg.path.parent, "--once", "--port", 0)
        assert found.errors[0].startswith("warning: eeg.vhdr is left out: ")
        assert "NumberOfChannels" in found.errors[0]
        assert found.errors[1] == "info: 0 recordings served; 1 left out"


def test_options_of_a_format(run, raw):
    found = run("serve", raw.path, *raw.how, "--once", "--port", 0, "--quiet")
    assert (found.code, found.err) == (0, "")
    expected = raw.stored[:5].astype(np.float32) * np.float32(0.25)
    np.testing.assert_allclose(json.loads(found.out.splitlines()[-1]), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["{eeg}", "--host", "0.0.0.0"], "add --allow-remote"),  # noqa: S104
        (["{eeg}", "--host", "192.0.2.1"], "everyone on the network"),
        (["{eeg}", "-O", "x=1"], "--option needs --format"),
        (["s3://bucket/a.abf"], "only local files are served"),
        (["{eeg}.nowhere"], "no such file"),
        (["{eeg}", "-f", "nonsense"], "there is no format 'nonsense'"),
        (["{eeg}", "-f", "axon", "-O", "x=1"], "has no option 'x'"),
        (["{eeg}", "--port", "1", "--host", "127.0.0.1"], ""),
    ],
)
def test_what_is_refused(run, eeg, arguments, told):
    if arguments[1:2] == ["--port"] and os.geteuid() == 0:
        pytest.skip("root may take any port")
    found = run("serve", *(each.format(eeg=eeg.path) for each in arguments), "--once")
    assert (found.code, found.out) == (2, "")
    assert len(found.errors) == 1
    assert told in found.err


def test_a_port_that_is_taken(run, eeg):
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        found = run("serve", eeg.path, "--once", "--port", port)
    assert found.code == 2
    assert "address already in use" in found.err.lower()


def test_a_missing_package_is_named(run, eeg, monkeypatch):
    monkeypatch.setattr(needed, "PACKAGES", ("uvicorn", "no_such_package"))
    for arguments in (["serve", eeg.path], ["service", "check"]):
        found = run(*arguments)
        assert found.code == 2
        assert found.errors == [
            f"error: 'ephyrus {arguments[0]}' needs the package no_such_package: "
            "pip install 'ephyrus[service]'"
        ]


def test_help_needs_no_package_of_the_service():
    code = (
        "import sys, ephyrus.cli.app;"
        "heavy = {'sqlalchemy', 'starlette', 'uvicorn', 'pydantic', 'argon2', 'orjson', 'h5py'};"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def answer_of(address: str, token: str, path: str) -> Any:
    request = Request(f"{address}{path}", headers={"Authorization": f"Bearer {token}"})  # noqa: S310
    with urlopen(request, timeout=60) as answer:  # noqa: S310
        return json.load(answer)


@pytest.mark.parametrize(("number", "workers"), [(signal.SIGINT, 1), (signal.SIGTERM, 2)])
def test_it_ends_in_peace(eeg, number, workers):
    command = [*PROGRAM, "serve", str(eeg.path), "--port", "0", "--workers", str(workers)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        address = process.stdout.readline().split(" at ")[1].strip()
        token = process.stdout.readline().split()[1]
        assert process.stderr.readline() == "info: 1 recording served\n"
        found = answer_of(address, token, "/datafiles/1?format=json&start_index=3&end_index=6")
        np.testing.assert_allclose(found, eeg.values[3:6, :2], rtol=1e-6)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out.splitlines()[-1], err) == (0, "stopped", "")
    finally:
        process.kill()
        process.communicate()
