from __future__ import annotations

import numpy as np
import pytest

import ephyrus
from ephyrus.registry import open_recording
from tests.cli.test_cli_check import sweeps_atf


def values_of(path, **options):
    with open_recording(path, **options) as recording:
        return recording.read_scaled(0, 0, None), recording.signals[0].rate


def test_by_the_ending_of_the_target(run, raw, tmp_path):
    target = tmp_path / "out.vhdr"
    found = run("convert", raw.path, target, *raw.how)
    assert found.code == 0
    values, rate = values_of(target)
    assert rate == 20_000
    np.testing.assert_array_equal(values, raw.stored * np.float32(0.25))
    line = found.out.strip()
    assert line.startswith(f"{raw.path} → ")
    assert str(target) in line
    assert "brainvision" in line
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["out.eeg", "out.vhdr", "out.vmrk", "probe.raw"]


def test_with_write_options(run, eeg, tmp_path):
    target = tmp_path / "out.raw"
    options = "-W", "dtype=float32", "-W", "signal_gain=2"
    found = run("convert", eeg.path, target, "-q", *options)
    # the units of the three channels differ: one signal per unit
    assert found.code == 0, found.err
    assert found.out == ""
    values, _ = values_of(
        target, format="rawbinarysignal", dtype="float32", nb_channel=3, signal_gain=2.0
    )
    np.testing.assert_allclose(values, eeg.values, rtol=1e-6)


def test_losses_are_told_also_when_quiet(run, eeg, tmp_path):
    target = tmp_path / "out.raw"
    for quiet in ((), ("-q",)):
        found = run("convert", eeg.path, target, "--overwrite", "-W", "dtype=float32", *quiet)
        assert found.code == 0
        assert found.errors
        assert all(line.startswith(f"note: {target}: ") for line in found.errors)
        assert any("event arrays are left out" in line for line in found.errors)


def test_files_are_not_replaced(run, raw, tmp_path):
    target = tmp_path / "out.txt"
    target.write_text("precious")
    command = "convert", raw.path, target, "--to", "asciisignal", *raw.how
    found = run(*command)
    assert (found.code, found.out) == (2, "")
    assert found.errors == [
        f"error: {raw.path}: {target} is there already (--overwrite replaces files)"
    ]
    assert target.read_text() == "precious"
    assert run(*command, "--overwrite").code == 0
    np.testing.assert_allclose(np.loadtxt(target), raw.stored * 0.25)


def test_companions_are_not_replaced_either(run, raw, tmp_path):
    precious = tmp_path / "out.eeg"
    precious.write_bytes(b"another recorder's")
    found = run("convert", raw.path, tmp_path / "out.vhdr", *raw.how)
    assert found.errors == [
        f"error: {raw.path}: {precious} is there already (--overwrite replaces files)"
    ]
    assert precious.read_bytes() == b"another recorder's"


def test_the_source_is_never_replaced(run, eeg):
    before = {path: path.read_bytes() for path in eeg.path.parent.iterdir()}
    found = run("convert", eeg.path.with_suffix(".eeg"), eeg.path, "--overwrite")
    assert found.code == 2
    assert "belongs to the recording that is read (name another target)" in found.err
    assert {path: path.read_bytes() for path in eeg.path.parent.iterdir()} == before


def test_many_into_a_folder(run, eeg, raw, tmp_path):
    other = tmp_path / "day2" / "made-up.fake"
    target = tmp_path / "new" / "converted"
    found = run("convert", eeg.path, other, target, "--to", "pickle")
    assert found.code == 0, found.err
    assert sorted(path.name for path in target.iterdir()) == ["eeg.pkl", "made-up.pkl"]
    assert [line.split(" → ")[0] for line in found.out.splitlines()] == [str(eeg.path), str(other)]


def test_a_folder_keeps_its_folders(run, eeg, tmp_path):
    sweeps_atf(eeg.path.parent / "deep.atf", sweeps=1)
    below = eeg.path.parent / "more"
    below.mkdir()
    sweeps_atf(below / "deep.atf", sweeps=1)
    target = tmp_path / "out"
    found = run("convert", "-r", eeg.path.parent, target, "--to", "pickle")
    assert found.code == 0, found.err
    names = sorted(str(path.relative_to(target)) for path in target.rglob("*.pkl"))
    assert names == ["deep.pkl", "eeg.pkl", "more/deep.pkl"]
    values, _ = values_of(target / "more" / "deep.pkl")
    np.testing.assert_array_equal(values[:, 0], np.arange(20.0))


def test_what_was_converted_is_not_converted_again(run, eeg):
    folder = eeg.path.parent
    target = folder / "converted"
    command = "convert", "-r", folder, target, "--to", "pickle", "--overwrite"
    for _ in range(2):
        found = run(*command)
        assert found.code == 0, found.err
        assert [path.name for path in target.rglob("*")] == ["eeg.pkl"]


def test_beside_the_sources(run, eeg):
    folder = eeg.path.parent
    found = run("convert", folder, folder, "--to", "pickle")
    assert found.code == 0, found.err
    assert (folder / "eeg.pkl").is_file()


def test_two_sources_of_one_target(run, eeg, tmp_path):
    text = sweeps_atf(tmp_path / "eeg.atf", sweeps=1)
    found = run("convert", eeg.path, text, tmp_path / "out", "--to", "pickle")
    assert found.code == 2
    assert found.errors == [
        f"error: {eeg.path} and {text} would both be written to {tmp_path / 'out' / 'eeg.pkl'} "
        "(convert them into different folders)"
    ]
    assert not (tmp_path / "out").exists()


def test_one_segment_of_many(run, tmp_path):
    path = sweeps_atf(tmp_path / "sweeps.atf", sweeps=4)
    target = tmp_path / "third.txt"
    found = run("convert", path, target, "--to", "asciisignal")
    assert found.code == 2
    assert found.err.endswith("(--segment 0 to --segment 3 writes one of them)\n")
    assert not target.exists()
    assert run("convert", path, target, "--to", "asciisignal", "--segment", 2).code == 0
    np.testing.assert_allclose(np.loadtxt(target), np.arange(20.0) + 2)
    found = run("convert", path, target, "--to", "asciisignal", "--segment", 4, "--overwrite")
    assert found.errors == [
        f"error: {path}: there is no segment 4 (it has 4 segments, counted from 0)"
    ]


def test_blocks_are_chosen(run, tmp_path):
    target = tmp_path / "out.vhdr"
    command = "convert", "made-up.fake", target
    assert run(*command).err.endswith("(--block 0 to --block 1 writes one of them)\n")
    found = run(*command, "--segment", 1)
    assert found.errors == [
        "error: made-up.fake: segment 1 of which of 2 blocks? (add --block 0 to --block 1)"
    ]
    found = run(*command, "--block", 2)
    assert found.errors == [
        "error: made-up.fake: there is no block 2 (it has 2 blocks, counted from 0)"
    ]
    found = run(*command, "--block", 1, "--segment", 2)
    assert found.code == 0, found.err
    values, rate = values_of(target)
    assert rate == 10_000
    np.testing.assert_array_equal(values, np.zeros((100_000, 16), np.float32))


@pytest.mark.parametrize(
    ("target", "more", "told"),
    [
        ("out", (), "out: the format to write is not told (add --to; these are written: "),
        ("out.xyz", (), "out.xyz: no format that is written ends in .xyz (these are written: "),
        (
            "out.txt",
            (),
            "out.txt: several formats end in .txt (add --to asciisignal or --to asciispiketrain)",
        ),
        (
            "out.eeg",
            (),
            "out.eeg: .eeg is only a part of a BrainVision recording "
            "(name its main file: out.vhdr)",
        ),
        ("out.abf", ("--to", "axon"), "Axon (ABF, ATF) is read, not written (these are written: "),
        ("s3://bucket/x.vhdr", (), "s3://bucket/x.vhdr: files are written to local disks only"),
        (
            "out.vhdr",
            ("-W", "format=wood"),
            "--write-option: option format='wood': expected one of 'binary', 'ascii' "
            "('ephyrus formats brainvision' explains the options)",
        ),
        (
            "out.vhdr",
            ("-W", "wood=1"),
            "--write-option: BrainVision has no option 'wood'; its options are: ",
        ),
    ],
)
def test_targets_that_cannot_be(run, eeg, tmp_path, monkeypatch, target, more, told):
    monkeypatch.chdir(tmp_path)
    found = run("convert", eeg.path, target, *more)
    assert (found.code, found.out) == (2, "")
    assert len(found.errors) == 1
    assert found.err.startswith(f"error: {told}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["session"]


def test_many_without_a_format(run, eeg, tmp_path):
    found = run("convert", eeg.path, "made-up.fake", tmp_path / "out" / "")
    assert found.code == 2
    assert "add --to" in found.err


def test_one_failing_file_among_many(run, eeg, tmp_path):
    broken = tmp_path / "broken.abf"
    broken.write_bytes(b"ABF2" + b"\0" * 40)
    target = tmp_path / "out"
    found = run("convert", broken, eeg.path, target, "--to", "pickle")
    assert found.code == 1
    assert [path.name for path in target.iterdir()] == ["eeg.pkl"]
    assert len(found.errors) == 1
    assert found.err.startswith(f"error: {broken}: byte ")


def test_a_failure_leaves_nothing_behind(run, raw, tmp_path, monkeypatch):
    import ephyrus.recording.recording as module

    real = module.Recording.read_scaled

    def fail(self, stream, start=0, stop=None, channels=None, **rest):
        if start >= 1000:
            raise OSError(5, "Input/output error", str(raw.path))
        return real(self, stream, start, min(stop, start + 1000), channels, **rest)

    monkeypatch.setattr(module.Recording, "read_scaled", fail)
    monkeypatch.setattr(module.Recording, "read_signal", fail)
    target = tmp_path / "new" / "deep" / "out.txt"
    found = run("convert", raw.path, target, "--to", "asciisignal", *raw.how)
    assert found.code == 2
    assert len(found.errors) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["probe.raw"]


def test_ctrl_c_leaves_nothing_behind(run, raw, tmp_path, monkeypatch):
    import ephyrus.cli.progress as module

    def interrupt(self, n):
        raise KeyboardInterrupt

    monkeypatch.setattr(module.RichProgress, "advance", interrupt)
    target = tmp_path / "out.txt"
    found = run("convert", raw.path, target, "--to", "asciisignal", *raw.how)
    assert found.code == 130
    assert found.errors == ["error: stopped by Ctrl-C; nothing was left half-written"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["probe.raw"]


def test_source_is_not_replaced_by_way_of_a_folder_that_is_not_there_yet(run, eeg, tmp_path):
    """The folder is made for the target, and the path then leads back to the source."""
    before = eeg.path.read_bytes()
    target = f"{eeg.path.parent}/new/../{eeg.path.name}"
    found = run("convert", eeg.path, target, "--to", "pickle", "--overwrite")
    assert found.code == 2
    assert "belongs to the recording that is read" in found.err
    assert eeg.path.read_bytes() == before


def test_source_by_address_is_not_replaced(run, eeg):
    before = eeg.path.read_bytes()
    found = run("convert", f"file://{eeg.path}", eeg.path, "--to", "pickle", "--overwrite")
    assert (found.code, eeg.path.read_bytes()) == (2, before)
    assert "belongs to the recording that is read" in found.err


def test_target_with_the_longest_name(run, eeg, tmp_path):
    target = tmp_path / ("x" * 250 + ".vhdr")
    assert run("convert", eeg.path, target).code == 0
    assert sorted(path.suffix for path in tmp_path.glob("xxx*")) == [".eeg", ".vhdr", ".vmrk"]
    np.testing.assert_array_equal(
        ephyrus.open(target).read_scaled(0), ephyrus.open(eeg.path).read_scaled(0)
    )


def test_target_name_that_a_header_cannot_hold(run, eeg, tmp_path):
    found = run("convert", eeg.path, tmp_path / "o\udcff.vhdr")
    assert found.code == 2
    assert "is not valid Unicode" in found.err
