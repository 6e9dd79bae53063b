from __future__ import annotations

import os
import shutil

import pytest


def test_files_by_content_and_name(run, eeg, raw):
    found = run("identify", eeg.path, raw.path, "made-up.fake", "--json")
    assert found.code == 0
    assert found.err == ""
    by_path = {entry["path"]: entry for entry in found.json}
    assert {path: entry["format"] for path, entry in by_path.items()} == {
        str(eeg.path): "brainvision",
        str(raw.path): "rawbinarysignal",
        "made-up.fake": "example",
    }
    sure = by_path[str(eeg.path)]
    assert sure["confidence"] == 1.0
    assert (sure["label"], sure["io_class"]) == ("BrainVision", "BrainVisionIO")
    assert sure["candidates"][0] == {"format": "brainvision", "confidence": 1.0}
    assert 0 < by_path[str(raw.path)]["confidence"] <= 0.15


def test_table_says_what_speaks_for_a_format(run, eeg, raw):
    lines = run("identify", eeg.path, raw.path).out.splitlines()
    assert [line.split("   ")[-1].strip() for line in lines[2:]] == ["its content", "its name only"]
    assert lines[2].startswith(f" {eeg.path} ".strip())


def test_companions_are_listed_once(run, eeg):
    folder = eeg.path.parent
    whole = run("identify", folder, "--json").json
    assert [entry["path"] for entry in whole] == [str(eeg.path)]
    given = run("identify", *sorted(folder.iterdir()), "--json").json
    assert [entry["path"] for entry in given] == [str(eeg.path)]


def test_a_companion_alone_is_taken(run, eeg):
    part = eeg.path.with_suffix(".vmrk")
    assert [entry["path"] for entry in run("identify", part, "--json").json] == [str(part)]


def test_same_stem_of_another_format_is_a_recording_of_its_own(run, eeg):
    text = eeg.path.with_suffix(".txt")
    text.write_text("".join(f"{row}\t{row * 2}\n" for row in range(100)))
    paths = [entry["path"] for entry in run("identify", eeg.path.parent, "--json").json]
    assert paths == [str(text), str(eeg.path)]


def test_folders_within_folders_with_r_only(run, eeg):
    top = eeg.path.parent.parent
    below = top / "a" / "b"
    below.mkdir(parents=True)
    (below / ".hidden").mkdir()
    for part in eeg.path.parent.iterdir():
        shutil.copy(part, below / part.name)
        shutil.copy(part, below / ".hidden" / part.name)
    flat = run("identify", top)
    assert flat.code == 2
    assert flat.errors == [
        f"error: {top}: no recording is recognised in this folder (-r looks into the folders in it)"
    ]
    deep = run("identify", "-r", top, "--json")
    assert [entry["path"] for entry in deep.json] == [str(below / "eeg.vhdr"), str(eeg.path)]


def test_a_folder_without_recordings(run, tmp_path):
    (tmp_path / "notes.md").write_text("# nothing\n")
    found = run("identify", tmp_path)
    assert (found.code, found.out) == (2, "")
    assert found.errors == [
        f"error: {tmp_path}: no recording is recognised in this folder "
        "('ephyrus formats' lists what is read)"
    ]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_a_folder_that_may_not_be_read(run, eeg):
    closed = eeg.path.parent / "closed"
    closed.mkdir(mode=0)
    found = run("identify", "-r", eeg.path.parent, "--json")
    assert found.code == 1
    assert [entry["format"] for entry in found.json] == ["brainvision", None]
    assert found.errors[0].startswith(f"error: {closed}: permission denied (")


def test_a_failing_file_in_a_folder_is_told(run, eeg, monkeypatch):
    import ephyrus.folders as module

    real = module.matches_of

    def fail(path):
        if path.endswith(".vmrk"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(module, "matches_of", fail)
    found = run("identify", eeg.path.parent, "--json")
    assert found.code == 1
    assert [entry["format"] for entry in found.json] == ["brainvision", None]
    assert found.errors == [
        f"error: {eeg.path.with_suffix('.vmrk')}: permission denied "
        "(check the permissions of the file and its folder)"
    ]


def test_unknown_and_missing_files_fail_and_the_rest_goes_on(run, eeg, tmp_path):
    strange = tmp_path / "strange.xyz"
    strange.write_bytes(b"\0\1\2" * 50)
    gone = tmp_path / "gone.abf"
    found = run("identify", strange, gone, eeg.path, "--json")
    assert found.code == 1
    assert [entry["path"] for entry in found.json] == [str(eeg.path), str(strange), str(gone)]
    assert [entry["format"] for entry in found.json] == ["brainvision", None, None]
    assert found.json[2]["error"]["type"] == "FileNotFoundError"
    assert found.errors == [
        f"error: {strange}: none of the formats recognises it "
        "('ephyrus formats' lists what is read)",
        f"error: {gone}: no such file or folder "
        "(check the spelling, and put names with spaces in quotes)",
    ]


def test_nothing_identified_is_exit_code_2(run, tmp_path):
    found = run("identify", tmp_path / "gone.abf", "--json")
    assert found.code == 2
    assert [entry["format"] for entry in found.json] == [None]
