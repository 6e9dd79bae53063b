"""Finding recordings in folders, and noticing what changes there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ephyrus.cli.failures import Tally
from ephyrus.cli.inputs import find_sources
from ephyrus.folders import without_companions
from ephyrus.service.inplace import discover as module
from ephyrus.service.inplace.discover import Scanner, is_inside
from tests.synth import axon, brainvision


def brain(folder: Path, base: str = "rec") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    numbers = brainvision.stored_numbers(50)
    return brainvision.write(folder, brainvision.Recipe(), numbers, base=base)


def names(scanner: Scanner) -> list[str]:
    return [found.name for found in scanner.scan().found.values()]


@pytest.fixture
def archive(tmp_path) -> Path:
    folder = tmp_path / "archive"
    brain(folder / "day 1")
    brain(folder / "day 2" / "deep" / "er", "second")
    brain(folder / ".hidden")
    (folder / "notes.txt").write_text("nothing to see")
    (folder / "table.bin").write_bytes(bytes(range(256)))
    return folder


def test_recordings_of_several_files_count_once(archive):
    found = Scanner([str(archive)]).scan().found
    assert [each.name for each in found.values()] == [
        "day 1/rec.vhdr",
        "day 2/deep/er/second.vhdr",
    ]
    assert {each.format for each in found.values()} == {"brainvision"}
    assert {each.root for each in found.values()} == {str(archive)}
    assert list(found) == [each.path for each in found.values()]


def test_the_same_as_the_command_line_finds(archive):
    sources = find_sources([str(archive)], Tally(), recursive=True)
    assert list(Scanner([str(archive)]).scan().found) == [source.path for source in sources]


def test_files_and_folders_together(archive):
    one = archive / "day 1" / "rec.vhdr"
    assert names(Scanner([str(one)])) == ["rec.vhdr"]
    assert len(names(Scanner([str(one), str(archive)]))) == 2
    assert names(Scanner([str(archive), str(archive)])) == names(Scanner([str(archive)]))


def test_a_file_that_is_no_recording_is_told_when_it_was_named(archive):
    found = Scanner([str(archive / "table.bin")]).scan().found
    assert [each.format for each in found.values()] == [""]


def test_what_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Scanner([str(tmp_path / "nowhere")])
    with pytest.raises(ValueError, match="no format 'nonsense'"):
        Scanner([str(tmp_path)], format="nonsense")


def test_new_and_gone_files_are_noticed(archive):
    scanner = Scanner([str(archive)])
    scanner.scan()
    brain(archive / "day 3")
    for path in (archive / "day 1").iterdir():
        path.unlink()
    assert names(scanner) == ["day 2/deep/er/second.vhdr", "day 3/rec.vhdr"]


def test_a_file_that_becomes_a_recording(archive, tmp_path):
    scanner = Scanner([str(archive)])
    assert "notes.txt" not in names(scanner)
    written = axon.samples()[0].write(tmp_path)
    (archive / "notes.txt").write_bytes(written.read_bytes())
    assert scanner.scan().found[str(archive / "notes.txt")].format == "axon"


def test_files_are_asked_once(archive, monkeypatch):
    scanner = Scanner([str(archive)])
    first = scanner.scan()
    asked: list[str] = []
    monkeypatch.setattr(module, "best_match", lambda path, wanted: asked.append(path))
    monkeypatch.setattr(module, "without_companions", lambda *a: pytest.fail("asked again"))
    assert scanner.scan().found == first.found
    assert asked == []
    os.utime(archive / "notes.txt", ns=(0, 5))
    monkeypatch.setattr(module, "without_companions", without_companions)
    scanner.scan()
    assert asked == [str(archive / "notes.txt")]


def test_links_do_not_lead_out(archive, tmp_path):
    outside = brain(tmp_path / "outside")
    for path in outside.parent.iterdir():
        (archive / f"link-{path.name}").symlink_to(path)
    (archive / "folder").symlink_to(outside.parent)
    (archive / "broken.vhdr").symlink_to(tmp_path / "nowhere")
    inner = archive / "again.vhdr"
    inner.symlink_to(archive / "day 1" / "rec.vhdr")
    assert names(Scanner([str(archive)])) == [
        "again.vhdr",
        "day 1/rec.vhdr",
        "day 2/deep/er/second.vhdr",
    ]
    assert is_inside(str(inner), str(archive))
    assert not is_inside(str(archive / "link-rec.vhdr"), str(archive))


def test_a_folder_that_is_a_link_is_served(archive, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(archive)
    assert len(names(Scanner([str(link)]))) == 2


def test_depth_and_number_are_bounded(archive, monkeypatch):
    monkeypatch.setattr(module, "MOST_DEPTH", 1)
    assert names(Scanner([str(archive)])) == ["day 1/rec.vhdr"]
    monkeypatch.setattr(module, "MOST_FILES", 2)
    scan = Scanner([str(archive)]).scan()
    assert scan.problems == [(str(archive), "only 2 files are looked at")]


def test_one_format_only(archive):
    (archive / "raw.bin").write_bytes(bytes(800))
    options = {"nb_channel": 4, "sampling_rate": 1000.0, "dtype": "int16"}
    scanner = Scanner([str(archive / "raw.bin")], format="RawBinarySignalIO", options=options)
    (found,) = scanner.scan().found.values()
    assert found.format == "rawbinarysignal"
    assert names(Scanner([str(archive)], format="brainvision")) == [
        "day 1/rec.vhdr",
        "day 2/deep/er/second.vhdr",
    ]
    assert names(Scanner([str(archive)], format="axon")) == []


def test_what_cannot_be_seen_is_not_gone(archive, tmp_path):
    one = brain(tmp_path / "other")
    scanner = Scanner([str(archive), str(one)])
    before = list(scanner.scan().found)
    archive.rename(tmp_path / "elsewhere")
    one.unlink()
    scan = scanner.scan()
    assert scan.problems == [
        (str(archive), "it is not there any more"),
        (str(one), "it is not there any more"),
    ]
    assert [scan.is_gone(path) for path in before] == [False, False, True]


def test_a_folder_that_goes_while_it_is_looked_at_is_not_gone(archive, tmp_path, monkeypatch):
    scanner = Scanner([str(archive)])
    known = list(scanner.scan().found)
    look = Scanner._format

    def take_away(self, path, *arguments):
        if path.suffix == ".vhdr" and archive.exists():
            archive.rename(tmp_path / "away")
        return look(self, path, *arguments)

    monkeypatch.setattr(Scanner, "_format", take_away)
    scan = scanner.scan()
    assert not archive.exists()
    assert scan.found == {}
    assert [scan.is_gone(path) for path in known] == [False] * len(known)
    assert scan.problems[-1] == (str(archive), "it is not there any more")


def test_a_folder_that_cannot_be_listed(archive, monkeypatch):
    scanner = Scanner([str(archive)])
    before = list(scanner.scan().found)
    walk = os.walk

    def fail(top, onerror):
        for base, folders, files in walk(top):
            if base.endswith("day 2"):
                onerror(PermissionError(13, "Permission denied", base))
                folders[:] = []
            else:
                yield base, folders, files

    monkeypatch.setattr(os, "walk", fail)
    scan = scanner.scan()
    assert scan.problems == [(str(archive / "day 2"), "Permission denied")]
    assert [scan.is_gone(path) for path in before] == [False, False]
    assert scan.is_gone(str(archive / "day 3" / "rec.vhdr"))
