"""The examples of the page on parts of arrays: commands print what it says, Python runs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
import time

import httpx2
import numpy as np
import pytest
import uvicorn

from ephyrus.service.partial.params import KINDS, OBJECT_NAMES
from tests.golden import ROOT
from tests.service.support import Site

PAGE = (ROOT / "docs" / "service" / "partial.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"```console\n\$ (.*?)\n(.*?)```", PAGE, flags=re.DOTALL)
BLOCKS = re.findall(r"```\{code-block\} python\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """Address of a service with the objects that the page speaks of, and a token for it."""
    site = Site(tmp_path_factory.mktemp("service"), allowed_hosts=("*",))
    config = uvicorn.Config(site.app, port=0, log_config=None, lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    until = time.monotonic() + 60
    while not server.started and thread.is_alive() and time.monotonic() < until:
        time.sleep(0.01)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}", fill(site, f"http://127.0.0.1:{port}")
    finally:
        server.should_exit = True
        thread.join(60)


def fill(site, address):
    """Make the objects of the page; a token."""
    user = site.user("ada")
    ramp = user.array(np.arange(10_000, dtype=np.int16), name="ramp")
    spikes = user.array(np.array([12.5, 60.0, 61.0, 140.0, 320.0]), name="spikes")
    begin, end = {"data": 0, "units": "ms"}, {"data": 500, "units": "ms"}
    rate = {"data": 20000, "units": "hz"}
    signal = {"t_start": begin, "sampling_rate": rate, "signal": {"data": ramp, "units": "mv"}}
    train = {"t_start": begin, "t_stop": end, "times": {"data": spikes, "units": "ms"}}
    ids = [ramp, spikes]
    for kind, fields in (("analogsignal", signal), ("spiketrain", train)):
        answer = httpx2.post(
            f"{address}/electrophysiology/{kind}/", headers=user.headers, json=fields, timeout=60
        )
        assert answer.status_code == 201, answer.text
        ids.append(answer.json()["selected"][0]["fields"]["id"])
    assert ids == [1, 2, 1, 1]  # as the page has them
    return user.token


@pytest.mark.parametrize(("command", "output"), COMMANDS)
def test_commands_print_what_the_page_says(service, command, output):
    bash, curl = shutil.which("bash"), shutil.which("curl")
    if bash is None or curl is None:
        pytest.skip("bash and curl are needed")
    address, token = service
    variables = {
        "SERVICE": address,
        "AUTH": f"Authorization: Bearer {token}",
        "PATH": "/usr/bin:/bin",
    }
    done = subprocess.run(
        [bash, "-c", command], env=variables, capture_output=True, timeout=60, check=True
    )
    assert json.loads(done.stdout) == json.loads(output)


def test_python_runs(service):
    address, token = service
    names = {"service": address, "token": token}
    for block in BLOCKS:
        exec(compile(block, "partial.md", "exec"), names)  # noqa: S102 - the page's text
    names["http"].close()


def test_the_page_names_every_parameter_and_kind():
    assert len(COMMANDS) >= 4
    for name in (*OBJECT_NAMES, *KINDS):
        assert f"`{name}`" in PAGE, name
