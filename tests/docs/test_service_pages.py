"""The pages of the data service: what they ask a service for is answered as they say."""

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.golden import ROOT

PAGES = ROOT / "docs" / "service"
SERVED = "http://127.0.0.1:8420"
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
TOKEN = re.compile(r"token\s+(\S+)")
SHOWN = re.compile(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", flags=re.DOTALL)
COMMAND = re.compile(r"```console\n(.*?)```", flags=re.DOTALL)
SNIPPET = re.compile(r"```\{code-block\} python\n(.*?)```", flags=re.DOTALL)


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    script = ROOT / "docs" / "examples" / "sample_recording.py"
    target = folder / "day2.vhdr"
    subprocess.run([sys.executable, str(script), str(target)], check=True, timeout=60)
    return target


@pytest.fixture(scope="module")
def served(sample):
    """Serve the sample recording by the command that the pages name."""
    command = [sys.executable, "-m", "ephyrus.cli", "serve", str(sample), "--port", "0"]
    command += ["--data-folder", str(sample.parent / "data")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = []
    try:
        for line in process.stdout:
            said.append(line)
            if "recordings served" in line or "recording served" in line:
                break
        text = "".join(said)
        yield ADDRESS.search(text)[0], TOKEN.search(text)[1]
    finally:
        process.terminate()
        assert process.wait(30) == 0, "".join(said)
        process.stdout.close()


def run_page(name, address, monkeypatch, tmp_path, capsys, names):
    """Run the Python blocks of a page in order; what they print is what the page shows."""
    monkeypatch.chdir(tmp_path)
    text = (PAGES / name).read_text("utf-8").replace(SERVED, address)
    for code, shown in SHOWN.findall(text):
        exec(compile(code, name, "exec"), names)  # noqa: S102 - the page's own text
        assert capsys.readouterr().out == shown, code
    return text


def test_the_page_on_the_client(served, monkeypatch, tmp_path, capsys):
    address, token = served
    monkeypatch.setenv("EPHYRUS_TOKEN", token)
    monkeypatch.setenv("EPHYRUS_CACHE", str(tmp_path / "cache"))
    names = {}
    text = run_page("client.md", address, monkeypatch, tmp_path, capsys, names)
    names["service"].close()
    for line in COMMAND.search(text)[1].splitlines():
        words = line.removeprefix("$ ephyrus ").split()
        subprocess.run([sys.executable, "-m", "ephyrus.cli", *words], check=True, timeout=60,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    assert Path("copy.nix").stat().st_size > 20_000 * 4 * 4


def test_the_page_on_lists(served, monkeypatch, tmp_path, capsys):
    address, token = served
    monkeypatch.setenv("EPHYRUS_TOKEN", token)
    names = {}
    run_page("lists.md", address, monkeypatch, tmp_path, capsys, names)
    names["service"].close()


def test_the_page_on_arrays_that_grow(served, monkeypatch, tmp_path, capsys):
    address, token = served
    monkeypatch.setenv("EPHYRUS_TOKEN", token)
    names = {}
    try:
        run_page("growing.md", address, monkeypatch, tmp_path, capsys, names)
    finally:  # other pages show what a service has that nobody wrote to
        if "segment" in names:
            names["service"].delete(names["segment"])
        if "service" in names:
            names["service"].close()


def test_the_page_on_many_objects(served, monkeypatch, tmp_path, capsys):
    """The Python blocks print what the page shows, and the commands with curl are answered."""
    address, token = served
    monkeypatch.setenv("EPHYRUS_TOKEN", token)
    names = {}
    try:
        text = run_page("bulk.md", address, monkeypatch, tmp_path, capsys, names)
        Path("objects.json").write_text(re.search(r"```json\n(.*?)```", text, re.DOTALL)[1])
        for name, values in zip(("train1.npy", "train2.npy"), names["times"], strict=False):
            Path(name).write_bytes(names["npy"](values))
        environment = {**os.environ, "SERVICE": address, "AUTH": f"Authorization: Bearer {token}"}
        for block in COMMAND.findall(text):
            command = block.removeprefix("$ ").strip()
            done = subprocess.run(["bash", "-c", f"{command} --fail-with-body"], env=environment,
                                  capture_output=True, text=True, timeout=30)  # fmt: skip
            assert done.returncode == 0, f"{command}\n{done.stdout}"
            assert json.loads(done.stdout)["message_type"] == "object_created"
    finally:  # other pages show what a service has that nobody wrote to
        if "service" in names:
            made = {"block": "session 12", "segment": "trial", "section": "notes of session 12"}
            for kind, name in made.items():
                for each in names["service"].select(kind, name__startswith=name):
                    names["service"].delete(each)
            names["service"].close()
        if "http" in names:
            names["http"].close()


def test_the_page_on_starting(served, monkeypatch, tmp_path):
    """The commands with curl answer 200, and the lines of Python run."""
    address, token = served
    text = (PAGES / "start.md").read_text("utf-8")
    environment = {**os.environ, "SERVICE": address, "AUTH": f"Authorization: Bearer {token}"}
    commands = [
        line.removeprefix("$ ")
        for block in COMMAND.findall(text)
        for line in block.splitlines()
        if line.startswith("$ curl")
    ]
    assert len(commands) >= 4
    assert shutil.which("curl")
    for command in commands:
        done = subprocess.run(["bash", "-c", f"{command} --fail-with-body"], env=environment,
                              capture_output=True, text=True, timeout=30)  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}"
    names = {"service": address, "token": token}
    for block in SNIPPET.findall(text):
        exec(compile(textwrap.dedent(block), "start.md", "exec"), names)  # noqa: S102
    assert names["values"].shape == (1001, 4)
    names["http"].close()


def test_every_page_is_in_the_list():
    listed = (PAGES / "index.md").read_text("utf-8").splitlines()
    assert {page.stem for page in PAGES.glob("*.md")} - {"index"} <= set(listed)
