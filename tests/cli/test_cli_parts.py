"""Words, escapes, JSON, progress bars: the small parts."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from fractions import Fraction

import numpy as np
import pytest
from rich.console import Console
from rich.text import Text

from ephyrus.cli import console, words
from ephyrus.cli.failures import Failure, Tally, explained
from ephyrus.cli.params import assignments, channel_list, complete_format, complete_written
from ephyrus.cli.progress import RichProgress
from ephyrus.errors import CorruptError, MissingExtraError
from ephyrus.recording import Progress


@pytest.mark.parametrize(
    ("nbytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (2_345_678_901, "2.3 GB"),
        (5 * 10**18, "5000.0 PB"),
    ],
)
def test_sizes(nbytes, text):
    assert words.size(nbytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (0.0005, "0.5 ms"),
        (0.25, "250 ms"),
        (1.0, "1 s"),
        (59.9999, "60 s"),
        (75.5, "1 min 15.5 s"),
        (119.96, "2 min 0 s"),
        (7384, "2 h 3 min 4 s"),
        (3_600_000, "1,000 h 0 min 0 s"),
        (None, "not known"),
        (float("nan"), "not known"),
    ],
)
def test_durations(seconds, text):
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (Fraction(30_000), "30 kHz"),
        (24414.0625, "24.4140625 kHz"),
        (Fraction(500), "500 Hz"),
        (Fraction(1, 4), "0.25 Hz"),
        (Fraction(2_500_000), "2.5 MHz"),
        (Fraction(1000, 3), "333.3333333 Hz"),
    ],
)
def test_rates(rate, text):
    assert words.rate(rate) == text


def test_plain_text():
    assert console.plain("Fp1 µV") == "Fp1 µV"
    assert console.plain("a\tb\r\nc\u00a0d") == "a b  c d"
    assert console.plain("\x1b]0;owned\x07") == "\\x1b]0;owned\\x07"
    assert console.plain("abc\u202egnp.exe") == "abc\\u202egnp.exe"


def test_json_of_everything(capsys):
    value = {
        "array": np.array([[1.5, np.nan]]),
        "scalar": np.float32(0.5),
        "integer": np.int64(3),
        "flag": np.bool_(True),
        "infinite": float("inf"),
        "fraction": Fraction(1, 4),
        "when": datetime(2024, 2, 29, tzinfo=UTC),
        "bytes": b"\xb5V",
        "text": "µ",
        2: (None, "x"),
    }
    console.write_json(value)
    text = capsys.readouterr().out
    assert text.isascii()
    assert json.loads(text) == {
        "array": [[1.5, None]],
        "scalar": 0.5,
        "integer": 3,
        "flag": True,
        "infinite": None,
        "fraction": 0.25,
        "when": "2024-02-29T00:00:00+00:00",
        "bytes": "µV",
        "text": "µ",
        "2": [None, "x"],
    }


def test_explanations():
    error = CorruptError("x.abf", "a rate of -1", offset=12, field="rate")
    told = "x.abf: byte 12 (rate): a rate of -1"
    hint = "(--salvage reads what is sound of a damaged file)"
    assert explained(error, "x.abf") == f"{told} {hint}"
    assert explained(error, "x.abf", salvage=True) == told
    denied = PermissionError(13, "Permission denied", "x.abf")
    assert explained(denied, "x.abf") == (
        "x.abf: permission denied (check the permissions of the file and its folder)"
    )
    full = OSError(28, "No space left on device")
    assert explained(full, "x.abf") == (
        "x.abf: no space left on device (free some space, or write to another disk)"
    )
    assert explained(MemoryError(), "x.abf") == "x.abf: there is not enough memory"
    assert explained(Failure("x: no", "try y")) == "x: no (try y)"
    extra = MissingExtraError("h5py", "nix", "Reading NIX")
    assert explained(extra) == "Reading NIX needs the package h5py: pip install 'ephyrus[nix]'"


def test_exit_codes_of_tallies(capsys):
    tally = Tally()
    assert tally.code == 0
    with tally.attempt("a"):
        pass
    assert tally.code == 0
    with tally.attempt("b"):
        raise Failure("b: no")
    assert (tally.code, tally.done, tally.failed) == (1, 1, 1)
    alone = Tally()
    with alone.attempt("c"):
        raise OSError(2, "No such file", "c")
    assert alone.code == 2
    found = Tally(done=3, problems=1)
    assert found.code == 1
    with pytest.raises(BrokenPipeError), found.attempt("d"):
        raise BrokenPipeError
    assert capsys.readouterr().err.splitlines() == [
        "error: b: no",
        "error: c: no such file (check the spelling, and put names with spaces in quotes)",
    ]


def test_assignments_and_lists():
    assert assignments(["a=1", "nb-channel=a=b", "c="], "-O") == {
        "a": "1",
        "nb_channel": "a=b",
        "c": "",
    }
    assert channel_list(["Fp1, Cz", "3-5,", ""]) == ["Fp1", "Cz", "3-5"]
    assert channel_list(None) == []


def test_shell_completion_of_formats():
    assert complete_format("br") == [("brainvision", "BrainVision")]
    assert "axon" in dict(complete_format(""))
    assert "axon" not in dict(complete_written(""))
    assert "brainvision" in dict(complete_written(""))


def shown(progress: RichProgress, target: io.StringIO) -> str:
    progress.start(4_000_000, "B", "reading x\x1b[31m.abf")
    progress.advance(1_000_000)
    progress.advance(1_000_000)
    progress.finish()
    return target.getvalue()


def terminal(*, is_one: bool = True) -> tuple[Console, io.StringIO]:
    target = io.StringIO()
    return Console(file=target, force_terminal=is_one, width=120, _environ={}), target


def test_progress_is_drawn_on_terminals():
    screen, target = terminal()
    progress = RichProgress(console=screen, patience=0)
    assert isinstance(progress, Progress)
    text = shown(progress, target)
    assert "2.0/4.0 MB" in text
    assert "reading x\\x1b[31m.abf" in text


def test_progress_of_short_work_is_not_drawn():
    screen, target = terminal()
    assert shown(RichProgress(console=screen, patience=60), target) == ""


def test_progress_is_not_drawn_elsewhere():
    screen, target = terminal(is_one=False)
    assert shown(RichProgress(console=screen, patience=0), target) == ""
    screen, target = terminal()
    assert shown(RichProgress(console=screen, patience=0, quiet=True), target) == ""


def test_progress_of_other_units_and_long_labels():
    screen, target = terminal()
    with RichProgress(console=screen, patience=0) as progress:
        progress.start(None, "packets", "/very" * 20 + "/long.plx")
        progress.advance(10)
        progress.start(20, "packets", "again")
        progress.advance(5)
    text = Text.from_ansi(target.getvalue()).plain
    assert "10/? packets" in text
    assert "5/20 packets" in text
    assert "..." in text
