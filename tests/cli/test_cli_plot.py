from __future__ import annotations

import sys
import zlib

import numpy as np
import pytest

pytest.importorskip("matplotlib")


def png_size(path):
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


def png_idat(path):
    """Give the pixels' bytes of a picture (8 bits, RGBA, filters left in place)."""
    data, at, parts = path.read_bytes(), 8, []
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == b"IDAT":
            parts.append(data[at + 8 : at + 8 + length])
        at += 12 + length
    return zlib.decompress(b"".join(parts))


def test_size_and_content(run, eeg, tmp_path):
    target = tmp_path / "look.png"
    found = run("plot", eeg.path, "-o", target, "--width", 900, "--height", 450)
    assert (found.code, found.err) == (0, "")
    assert found.out == f"{target}  900 × 450 pixels\n"
    assert png_size(target) == (900, 450)
    assert len(np.unique(np.frombuffer(png_idat(target), "u1"))) > 20  # something is drawn


def test_channels_and_times_reach_the_figure(run, eeg, tmp_path, monkeypatch):
    from ephyrus.recording import Recording

    seen = {}
    real = Recording.plot

    def spy(self, **options):
        seen.update(options)
        figure = real(self, **options)
        seen["labels"] = [axes.get_ylabel() for axes in figure.axes]
        seen["limits"] = figure.axes[-1].get_xlim()
        return figure

    monkeypatch.setattr(Recording, "plot", spy)
    target = tmp_path / "look.svg"
    times = "--t-start", 0.25, "--t-stop", 0.75
    found = run("plot", eeg.path, "-o", target, "-c", "1-2", *times, "-q")
    assert (found.code, found.out, found.err) == (0, "", "")
    assert seen["channels"] == ["Cz", "Temp"]
    assert [label for label in seen["labels"] if label] == ["Cz\n(µV)", "Temp\n(C)"]
    assert seen["limits"] == (0.25, 0.75)
    assert b"<svg" in target.read_bytes()[:1000]


def test_no_such_kind_of_picture(run, eeg, tmp_path):
    target = tmp_path / "look.docx"
    found = run("plot", eeg.path, "-o", target)
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith(
        f"error: {target}: ends in .docx, which is no kind of picture (give one of these: "
    )
    assert not target.exists()


def test_a_stretch_without_length(run, eeg, tmp_path):
    times = "--t-start", 2, "--t-stop", 1
    found = run("plot", eeg.path, "-o", tmp_path / "look.png", *times)
    assert (found.code, len(found.errors)) == (2, 1)
    assert found.err.startswith(f"error: {eeg.path}: ")
    assert not (tmp_path / "look.png").exists()


def test_no_such_channel(run, eeg, tmp_path):
    found = run("plot", eeg.path, "-o", tmp_path / "look.png", "-c", "Fp9")
    assert found.errors == [f"error: {eeg.path}: there is no channel 'Fp9' (did you mean Fp1?)"]


def test_without_matplotlib_the_extra_is_named(run, eeg, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    found = run("plot", eeg.path, "-o", tmp_path / "look.png")
    assert found.code == 2
    assert found.errors == [
        "error: ephyrus plot needs the package matplotlib: pip install 'ephyrus[plot]'"
    ]
