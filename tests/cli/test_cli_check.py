from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ephyrus.cli.check import Report, check_order


def sweeps_atf(path: Path, *, sweeps: int, samples: int = 20) -> Path:
    """Write an Axon text file with one column per sweep."""
    starts = ",".join(f"{sweep * 1.0:.3f}" for sweep in range(sweeps))
    titles = "\t".join(['"Time (s)"', *(f'"Trace #{sweep + 1} (mV)"' for sweep in range(sweeps))])
    rows = (
        "\t".join([f"{row * 0.001:.6f}", *(f"{row + sweep}" for sweep in range(sweeps))])
        for row in range(samples)
    )
    head = [
        "ATF\t1.0",
        f"3\t{sweeps + 1}",
        '"AcquisitionMode=Episodic Stimulation"',
        f'"SweepStartTimesMS={starts}"',
        '"Signals="\t' + "\t".join(['"Vm"'] * sweeps),
        titles,
    ]
    path.write_text("\r\n".join([*head, *rows]) + "\r\n", encoding="latin-1")
    return path


def test_sound_recordings(run, eeg):
    found = run("check", eeg.path, "made-up.fake", "--json")
    assert (found.code, found.err) == (0, "")
    assert found.json[0] == {
        "path": str(eeg.path),
        "format": "brainvision",
        "status": "sound",
        "bytes_read": found.json[0]["bytes_read"],
        "problems": [],
        "error": None,
    }
    assert found.json[0]["bytes_read"] >= eeg.stored.nbytes
    assert [entry["status"] for entry in found.json] == ["sound", "sound"]


def test_text_of_sound_recordings(run, eeg):
    found = run("check", eeg.path, "made-up.fake")
    first, second, total = found.out.splitlines()
    assert first.startswith(f"✓ {eeg.path}  brainvision, 1 segment, 3 channels, 4 events, ")
    assert second.startswith(
        "✓ made-up.fake  example, 5 segments, 16 channels, 300 spikes, 30 events, 50 epochs, "
    )
    assert total == "2 recordings: 2 sound"
    assert run("check", eeg.path, "made-up.fake", "-q").out.splitlines() == [first, second]


def test_problems_are_exit_code_1(run, eeg):
    data = eeg.path.with_suffix(".eeg")
    data.write_bytes(data.read_bytes() + b"\0\0\0")
    found = run("check", eeg.path, "--json")
    assert found.code == 1
    (entry,) = found.json
    assert entry["status"] == "problems"
    assert [problem["path"] for problem in entry["problems"]] == [str(data)]
    text = run("check", eeg.path).out.splitlines()
    assert text[0] == f"✗ {eeg.path}  brainvision, 1 problem"
    assert text[1].startswith("    ")
    assert entry["problems"][0]["reason"] in text[1]


def test_a_refused_file_is_looked_into_again(run, eeg):
    text = eeg.path.read_text(encoding="utf-8")
    text = text.replace("MULTIPLEXED", "VECTORIZED").replace("[Binary", "DataPoints=2000\n[Binary")
    eeg.path.write_text(text, encoding="utf-8")
    data = eeg.path.with_suffix(".eeg")
    data.write_bytes(data.read_bytes()[: 2 * 2000 * 2 + 10])  # two whole channels
    found = run("check", eeg.path, "--json")
    assert found.code == 1
    (entry,) = found.json
    assert entry["status"] == "problems"
    assert entry["error"]["type"] == "TruncatedError"
    assert entry["problems"]
    lines = run("check", eeg.path).out.splitlines()
    assert lines[0].startswith(f"✗ {eeg.path}  brainvision, ")
    assert lines[1].startswith("    ")
    assert "refused: " in lines[1]
    assert "--salvage reads what is sound of a damaged file" in lines[1]


def test_a_hopeless_file_is_exit_code_2(run, tmp_path):
    path = tmp_path / "broken.abf"
    path.write_bytes(b"ABF2" + b"\0" * 40)
    found = run("check", path, "--json")
    assert found.code == 2
    assert [entry["status"] for entry in found.json] == ["unreadable"]
    assert found.json[0]["error"]["type"] == "TruncatedError"
    assert len(found.errors) == 1
    assert found.err.startswith(f"error: {path}: byte ")


def test_hopeless_and_sound_files_are_exit_code_1(run, eeg, tmp_path):
    path = tmp_path / "broken.abf"
    path.write_bytes(b"ABF2" + b"\0" * 40)
    found = run("check", path, eeg.path)
    assert found.code == 1
    assert found.out.splitlines()[-1] == "2 recordings: 1 sound, 1 not readable"


def test_data_are_read_by_position_and_all_of_them(run, eeg, monkeypatch):
    import ephyrus.cli.check as module

    monkeypatch.setattr(module, "PIECE_BYTES", 600)
    asked, opened = [], []
    real = module.Recording.read_signal

    def spy(self, stream, start=0, stop=None, channels=None):
        asked.append((start, stop))
        opened.append(self.reading.files.access)
        return real(self, stream, start, stop, channels)

    monkeypatch.setattr(module.Recording, "read_signal", spy)
    assert run("check", eeg.path).code == 0
    assert asked == [(first, first + 100) for first in range(0, 2000, 100)]
    assert set(opened) == {"pread"}


def test_a_failing_disk_is_told(run, eeg, monkeypatch):
    import errno

    import ephyrus.cli.check as module

    def fail(self, stream, start=0, stop=None, channels=None):
        raise OSError(errno.EIO, "Input/output error", str(eeg.path.with_suffix(".eeg")))

    monkeypatch.setattr(module.Recording, "read_signal", fail)
    found = run("check", eeg.path)
    assert found.code == 2
    assert found.errors == [
        f"error: {eeg.path.with_suffix('.eeg')}: input/output error "
        "(the disk or the network drive fails: copy the file elsewhere and try again)"
    ]


@pytest.mark.parametrize(
    ("latest", "ticks", "told"),
    [
        (None, [1, 1, 5], []),
        (1, [1, 2, 3], []),
        (9, [8, 9, 10], ["1 time is before the preceding one, first that of item 50"]),
        (None, [3, 2, 5, 4], ["2 times are before the preceding one, first that of item 51"]),
    ],
)
def test_times_that_go_back_are_told(latest, ticks, told):
    from ephyrus.registry import open_recording

    report = Report("x")
    with open_recording("made-up.fake") as recording:
        last = check_order(report, recording.tables[0], 50, np.array(ticks, np.uint64), latest)
    assert last == ticks[-1]
    assert [problem.reason for problem in report.problems] == told


def test_files_that_are_called_like_recordings(run, eeg, tmp_path):
    """An archive is not whole if a recording in it is empty or overwritten."""
    folder = eeg.path.parent
    (folder / "empty.abf").touch()
    (folder / "empty.raw").touch()
    (folder / "zeros.abf").write_bytes(bytes(4000))
    (folder / "zeros.vhdr").write_bytes(bytes(4000))
    (folder / "gone.abf").symlink_to("nowhere.abf")
    (folder / "bare.raw").write_bytes(bytes(4000))  # may well be numbers
    (folder / "notes.txt").write_text("as seen on Monday\n", encoding="ascii")
    (folder / "picture.png").write_bytes(bytes(100))
    found = run("check", folder, "--json")
    assert found.code == 1
    names = {entry["path"].rpartition("/")[2]: entry for entry in found.json}
    reasons = {name: (entry["error"] or {}).get("reason") for name, entry in names.items()}
    assert reasons == {
        eeg.path.name: None,
        "empty.abf": f"{folder}/empty.abf: the file is empty; it is called like Axon (ABF, ATF)",
        "empty.raw": (
            f"{folder}/empty.raw: the file is empty; it is called like Interleaved raw binary"
        ),
        "zeros.abf": (
            f"{folder}/zeros.abf: the content is not that of Axon (ABF, ATF), as which it is called"
        ),
        "zeros.vhdr": (
            f"{folder}/zeros.vhdr: the content is not that of BrainVision, as which it is called"
        ),
        "gone.abf": f"{folder}/gone.abf: the link leads nowhere",
    }
    assert len(run("info", folder, "--json").json) == 1  # other commands take recordings only
