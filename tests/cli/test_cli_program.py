"""The program as a process: exit codes, streams, encodings, pipes, memory, imports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from ephyrus import __version__
from ephyrus.cli.app import app
from tests.cli.conftest import PROGRAM


def test_help_shows_commands_and_examples(run):
    found = run("--help", columns=100)
    assert (found.code, found.err) == (0, "")
    for name in ("identify", "info", "head", "check", "convert", "plot", "formats"):
        assert f" {name} " in found.out
    assert "ephyrus convert recording.abf out.vhdr" in found.out
    assert "--install-completion" in found.out
    assert run(columns=100).out == found.out


@pytest.mark.parametrize(
    "name", ["identify", "info", "head", "check", "convert", "plot", "formats"]
)
def test_every_command_has_examples(run, name):
    found = run(name, "--help")
    assert found.code == 0
    assert "Examples" in found.out
    assert f"ephyrus {name} " in found.out.partition("Examples")[2]


def test_examples_parse():
    """The options that examples show exist."""
    import typer

    group = typer.main.get_command(app)
    for name, command in group.commands.items():
        known = {option for parameter in command.params for option in parameter.opts}
        for line in (command.epilog or "").splitlines():
            if line.strip().startswith(f"ephyrus {name} "):
                words = line.split("   ")[0].split() + line.split()
                given = {word for word in words if word.startswith("-") and len(word) > 1}
                assert given <= known, line


def test_version(run):
    found = run("--version")
    assert (found.code, found.out, found.err) == (0, f"ephyrus {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["frobnicate"], "no such command 'frobnicate'"),
        (["info"], "missing argument 'FILE'"),
        (["info", "x", "--wood"], "no such option"),
        (["head", "x", "-n", "many"], "invalid value for '--samples' / '-n'"),
        (["info", "x", "--access", "floppy"], "invalid value for '--access'"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(run, arguments, told):
    found = run(*arguments)
    assert (found.code, found.out, len(found.errors)) == (2, "", 1)
    assert found.err.startswith(f"error: {told}")
    assert "--help' shows how it is used)" in found.err


def test_streams_are_kept_apart(program, eeg, tmp_path):
    done = program("info", "--json", tmp_path / "gone.abf", eeg.path)
    assert done.returncode == 1
    assert [entry["path"] for entry in json.loads(done.stdout)] == [
        str(eeg.path),
        str(tmp_path / "gone.abf"),
    ]
    assert done.stderr.decode().splitlines() == [
        f"error: {tmp_path / 'gone.abf'}: no such file or folder "
        "(check the spelling, and put names with spaces in quotes)"
    ]


def test_remarks_are_not_logged_twice(program, eeg):
    text = eeg.path.read_text(encoding="utf-8")
    eeg.path.write_text(text.replace("[Binary", "DataPoints=64\n[Binary"), encoding="utf-8")
    done = program("head", eeg.path)
    assert done.returncode == 0
    assert done.stderr.decode().count("DataPoints=64") == 1
    assert done.stderr.startswith(b"warning: ")
    assert program("head", eeg.path, "-q").stderr == b""


@pytest.mark.parametrize(
    "environment",
    [
        {"LANG": "C", "LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"PYTHONIOENCODING": "ascii", "TERM": "dumb"},
        {"PYTHONIOENCODING": "cp1252"},
    ],
)
def test_any_encoding(program, eeg, environment):
    for command in (["info", eeg.path], ["info", "--help"]):
        done = program(*command, environment=environment)
        assert done.returncode == 0, done.stderr
        assert done.stdout


def test_what_an_encoding_lacks_is_spelled(program, eeg):
    done = program("head", eeg.path, "-n", "1", environment={"PYTHONIOENCODING": "ascii"})
    assert b"Fp1 (uV)" in done.stdout
    done = program("check", eeg.path, environment={"PYTHONIOENCODING": "ascii"})
    assert done.stdout.startswith(b"ok ")


def test_json_is_ascii(program, eeg):
    done = program("info", "--json", eeg.path, environment={"PYTHONIOENCODING": "ascii"})
    (entry,) = json.loads(done.stdout.decode("ascii"))
    assert [channel["unit"] for channel in entry["signals"][0]["channels"]][-1] == "C"


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes on Linux only")
def test_a_name_that_is_no_text(program, tmp_path):
    name = os.fsencode(tmp_path) + b"/caf\xe9.fake"
    done = program("info", os.fsdecode(name))
    assert done.returncode == 0
    assert b"caf\\udce9.fake" in done.stdout
    done = program("info", "--json", os.fsdecode(name))
    assert os.fsencode(json.loads(done.stdout)[0]["path"]) == name


@pytest.mark.parametrize("command", [["formats", "--json"], ["info"], ["head", "-n", "400"]])
def test_a_pipe_that_is_closed_early(command):
    files = ["made-up.fake"] if command[0] != "formats" else []
    process = subprocess.Popen(
        [*PROGRAM, *command, *files], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    error = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == 141
    assert error == b""


def test_debug_shows_the_traceback(program, tmp_path):
    done = program("--debug", "info", tmp_path / "gone.abf")
    assert done.returncode == 2
    assert b"Traceback (most recent call last)" in done.stderr
    done = program("info", tmp_path / "gone.abf", environment={"EPHYRUS_DEBUG": "1"})
    assert b"Traceback (most recent call last)" in done.stderr


def test_a_fault_of_ours_is_one_line(run, eeg, monkeypatch):
    import ephyrus.cli.info as module

    def stumble(recording):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(module, "summary", stumble)
    found = run("info", eeg.path)
    assert found.code == 2
    assert found.errors == [
        "error: a fault of ephyrus itself: ZeroDivisionError: oops "
        "('ephyrus --debug ...' shows where; please report it with the file's format)"
    ]
    found = run("--debug", "info", eeg.path)
    assert "Traceback (most recent call last)" in found.err


def test_logging_is_left_as_it_was(run):
    import logging

    logger = logging.getLogger("ephyrus")
    before = list(logger.handlers), logger.level
    run("--debug", "info", "made-up.fake")
    run("info", "made-up.fake")
    assert (list(logger.handlers), logger.level) == before


HEAVY = ("h5py", "scipy", "matplotlib", "dask", "pandas", "xarray", "quantities", "numpy")


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["--help"], HEAVY),
        (["convert", "--help"], HEAVY),
        (["--version"], HEAVY),
        (["info", "made-up.fake"], HEAVY[:6]),
    ],
)
def test_what_is_imported(arguments, absent):
    code = (
        "import sys\nfrom ephyrus.cli import main\nmain()\n"
        "sys.stderr.write(' '.join(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, check=True, timeout=60
    )
    assert set(absent) & set(done.stderr.decode().split()) == set()


def test_ctrl_c_and_termination_leave_nothing_half_written(tmp_path):
    """A conversion that is stopped removes its unfinished file, and the old one stays."""
    source, target = tmp_path / "big.raw", tmp_path / "out" / "big.txt"
    with source.open("wb") as file:
        file.truncate(200_000_000)
    target.parent.mkdir()
    target.write_text("old")
    how = ["-f", "rawbinarysignal", "-Onb_channel=4", "--to", "asciisignal", "--overwrite"]
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 128 + signal.SIGTERM)):
        process = subprocess.Popen(
            [*PROGRAM, "convert", str(source), str(target), *how],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        deadline = time.monotonic() + 60
        while len(list(target.parent.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(number)
        out, error = process.communicate(timeout=60)
        assert process.returncode == code, error
        assert out == b""
        assert [path.name for path in target.parent.iterdir()] == ["big.txt"]
        assert target.read_text() == "old"


MEASURED = """
import resource, sys, tracemalloc
import ephyrus.cli
if sys.argv[1] == "traced":
    tracemalloc.start()
del sys.argv[1]
code = ephyrus.cli.main()
assert code == 0, code
peak = tracemalloc.get_traced_memory()[1] if tracemalloc.is_tracing() else (
    resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
)
sys.stderr.write(f"peak {peak}")
"""


def peak_memory(kind: str, *arguments: object) -> int:
    """Give the most memory that a command held: allocated ("traced"), or of the process."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, kind, *map(str, arguments)],
        capture_output=True,
        check=True,
        timeout=110,
    )
    return int(done.stderr.decode().rpartition("peak ")[2])


@pytest.mark.skipif(sys.platform == "win32", reason="ru_maxrss")
@pytest.mark.parametrize("ending", ["raw", "vhdr"])
def test_convert_in_bounded_memory(tmp_path, ending):
    """A sparse temporary file of 160 MB is converted within 64 MiB above a small one."""
    small, large = tmp_path / "small.raw", tmp_path / "large.raw"
    for path, nbytes in ((small, 64_000), (large, 160_000_000)):
        with path.open("wb") as file:
            file.truncate(nbytes)
    how = ["-f", "rawbinarysignal", "-Onb_channel=64", "-Ounits=uV", "--access", "pread"]
    options = ["-W", "dtype=int16"] if ending == "raw" else ["-W", "number_format=INT_16"]
    peaks = [
        peak_memory(
            "whole", "convert", path, tmp_path / f"{path.stem}.out.{ending}", *how, *options
        )
        for path in (small, large)
    ]
    assert peaks[1] - peaks[0] <= 64 * 2**20
    written = tmp_path / ("large.out.raw" if ending == "raw" else "large.out.eeg")
    assert written.stat().st_size == 160_000_000
    assert not np.fromfile(written, "<i2", 10_000).any()


@pytest.mark.skipif(sys.platform == "win32", reason="resource")
def test_check_in_bounded_memory(tmp_path):
    large = tmp_path / "large.raw"
    with large.open("wb") as file:
        file.truncate(160_000_000)
    how = ["-f", "rawbinarysignal", "-Onb_channel=64"]
    assert peak_memory("traced", "check", large, *how) <= 64 * 2**20


@pytest.mark.parametrize("time", ["nan", "inf", "-inf"])
@pytest.mark.parametrize(
    "command", ["head --start", "plot -o x.png --t-start", "plot -o x.png --t-stop"]
)
def test_times_are_numbers(run, command, time):
    found = run(*command.split(), time, "made-up.fake")
    assert found.code == 2
    assert f"{time} is not a time in seconds" in found.err


def test_module_is_the_program():
    found = subprocess.run(
        [sys.executable, "-m", "ephyrus", "info", "nowhere.abf"], capture_output=True, text=True
    )
    assert found.returncode == 2
    assert found.stderr.startswith("error: nowhere.abf: no such file or folder")
