"""BrainVision: values of every variant, quirks, damaged files, and real recordings."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ephyrus.errors import CorruptError, FormatError, TruncatedError, UnsupportedVersionError
from ephyrus.formats import brainvision
from ephyrus.formats.brainvision.layout import escaped, unescaped, unit_text
from ephyrus.recording import FileSet
from ephyrus.registry import open_recording
from tests.golden import assert_channel, assert_points, data_path, golden
from tests.synth import brainvision as synth
from tests.synth.brainvision import Recipe

GAINS = {"BINARY": [0.5, 0.1, 1.0], "ASCII": [1.0, 1.0, 1.0]}


def opened(path, **options):
    return open_recording(path, format="brainvision", **options)


def made(folder, recipe=None, stored=None, **changes):
    """Write a recording and open it."""
    recipe = replace(recipe or Recipe(), **changes)
    stored = synth.stored_numbers(synth.POINTS) if stored is None else stored
    return opened(synth.write(folder, recipe, stored))


def edited(folder, *changes, recipe=None, name="rec.vhdr", **options):
    """Write a recording, replace bytes in one of its files, and open it."""
    path = synth.write(folder, recipe or Recipe(), synth.stored_numbers(synth.POINTS))
    data = (folder / name).read_bytes()
    for old, new in changes:
        assert old in data
        data = data.replace(old, new)
    (folder / name).write_bytes(data)
    return opened(path, **options)


def reasons(recording):
    return [problem.reason for problem in recording.problems]


def events(recording, name):
    stream = recording.table(name)
    return stream, recording.read_table(stream)


@pytest.mark.parametrize("name", synth.RECIPES)
def test_variants(name, tmp_path):
    recipe = synth.RECIPES[name]
    recording = opened(synth.write_sample(name, tmp_path))
    stored = synth.sample_numbers(name)
    stream = recording.signal(0)
    assert (len(recording.signals), stream.length, stream.rate) == (1, 60, Fraction(500))
    assert stream.channels.names == ("Fp1", "a,b", "Ekg")
    assert stream.channels.ids == ("1", "2", "3")
    assert stream.channels.units == (("µV", "mV", "uV") if recipe.units else ("uV", "uV", "uV"))
    np.testing.assert_array_equal(stream.channels.gain, GAINS[recipe.data_format])
    np.testing.assert_array_equal(stream.channels.offset, [0, 0, 0])
    np.testing.assert_array_equal(stream.channels.extra["reference"], ["", "Cz", ""])
    np.testing.assert_array_equal(stream.channels.extra["resolution"], [0.5, 0.1, 1.0])
    raw = recording.read_signal(stream)
    np.testing.assert_array_equal(raw, stored)
    assert raw.dtype == stream.dtype
    np.testing.assert_array_equal(
        recording.read_signal(stream, 7, 43, [2, 0]), stored[7:43, [2, 0]]
    )
    np.testing.assert_array_equal(recording.read_signal(stream, 59, 60, 1), stored[59:, 1:2])
    np.testing.assert_array_equal(recording.read_signal(stream, 5, 9, []), stored[5:9, :0])
    np.testing.assert_array_equal(recording.read_signal(stream, 5, 5), stored[:0])
    scaled = recording.read_scaled(stream, dtype=np.dtype("f8"))
    np.testing.assert_array_equal(scaled, stored * np.array(GAINS[recipe.data_format]))
    assert [(s.t_start, s.t_stop) for s in recording.segments] == [(0.0, 0.12)]
    if name != "no-first-lines":
        assert recording.problems == ()


@pytest.mark.parametrize("name", sorted(set(synth.RECIPES) - {"no-markers", "segments"}))
def test_markers_of_variants(name, tmp_path):
    recording = opened(synth.write_sample(name, tmp_path))
    assert [table.name for table in recording.tables] == [
        "New Segment",
        "Stimulus",
        "Comment",
        "Response",
    ]
    stream, found = events(recording, "Stimulus")
    assert (stream.kind, stream.length, stream.clock) == ("events", 2, Fraction(500))
    np.testing.assert_array_equal(found["tick"], [2, 9])  # the file counts from 1
    np.testing.assert_array_equal(found["label"], ["S  1", "S  2"])
    np.testing.assert_array_equal(found["durations"], [0.002, 0.01])
    np.testing.assert_array_equal(found["channels"], [0, 0])
    assert "dates" not in stream.columns
    _, comment = events(recording, "Comment")
    assert comment["label"].tolist() == ["left, then right"]
    assert (comment["tick"].tolist(), comment["channels"].tolist()) == ([11], [2])
    _, start = events(recording, "New Segment")
    assert start["dates"].tolist() == ["2024-02-29T23:59:59.123456"]
    began = datetime(2024, 2, 29, 23, 59, 59, 123456)
    assert recording.blocks[0].rec_datetime == began
    assert recording.segments[0].rec_datetime == began
    part = recording.read_table("Stimulus", 1, 2, ["label"])
    assert {key: column.tolist() for key, column in part.items()} == {"label": ["S  2"]}


@pytest.mark.parametrize("name", synth.RECIPES)
def test_pread_gives_the_same(name, tmp_path):
    with opened(synth.write_sample(name, tmp_path), access="pread") as recording:
        np.testing.assert_array_equal(recording.read_signal(0), synth.sample_numbers(name))


def test_header_facts(tmp_path):
    recording = made(
        tmp_path,
        synth.RECIPES["int16"],
        common=("Averaged=YES", "AveragedSegments=12"),
        version="2.0",
    )
    assert recording.info.software == "Vision Recorder"
    assert recording.blocks[0].annotations == {
        "format_version": "2.0",
        "comment": synth.COMMENT,
        "averaged": True,
        "averaged_segments": 12,
    }
    extra = recording.signal(0).channels.extra
    for i in range(3):
        expected = [place[i] for place in synth.COORDINATES]
        np.testing.assert_array_equal(extra[f"coordinates_{i}"], expected)


def test_comment_is_not_parsed_and_ends_at_a_known_section(tmp_path):
    recording = edited(
        tmp_path,
        (
            b"[Common Infos]",
            b"[Comment]\r\nNumberOfChannels=99\r\n[kOhm]\r\n; kept\r\n\r\n[Common Infos]",
        ),
    )
    assert recording.blocks[0].annotations["comment"] == "NumberOfChannels=99\n[kOhm]\n; kept"
    np.testing.assert_array_equal(recording.read_signal(0), synth.stored_numbers(60))


def test_sections_and_keys_without_case(tmp_path):
    recording = edited(
        tmp_path,
        (b"[Common Infos]", b"[common infos]"),
        (b"NumberOfChannels=3", b"  numberofchannels = 3"),
        (b"Ch1=", b"ch1="),
        (b"BinaryFormat=INT_16", b"binaryformat=int_16"),
    )
    np.testing.assert_array_equal(recording.read_signal(0), synth.stored_numbers(60))
    assert recording.signal(0).channels.names[0] == "Fp1"


# ---------------------------------------------------------------- encodings and units


@pytest.mark.parametrize(
    ("stored", "unit"),
    [
        (b"\xb5V", "µV"),
        ("µV".encode(), "µV"),
        ("\u03bcV".encode(), "µV"),
        ("Âµ".encode() + b"V", "µV"),
        ("Î¼".encode() + b"V", "µV"),
        (b"uV", "uV"),
        (b"", "uV"),
        (b" nV ", "nV"),
        ("°C".encode(), "°C"),
        (b"n/a", "n/a"),
        (b"ARU", "ARU"),
    ],
)
def test_units(stored, unit, tmp_path):
    recipe = Recipe(codepage=None, units=("XX", "mV", ""))
    recording = edited(tmp_path, (b"XX", stored), recipe=recipe)
    assert recording.signal(0).channels.units == (unit, "mV", "uV")


def test_code_page_that_does_not_fit_is_noted(tmp_path):
    recording = edited(tmp_path, ("µV".encode(), b"\xb5V"))
    assert recording.signal(0).channels.units[0] == "µV"
    assert "code page 'UTF-8'" in reasons(recording)[0]


def test_unknown_code_page_is_noted(tmp_path):
    recording = edited(tmp_path, (b"Codepage=UTF-8", b"Codepage=EBCDIC"))
    assert recording.signal(0).channels.units[0] == "µV"
    assert "code page 'EBCDIC'" in reasons(recording)[0]


def test_cp1252_name(tmp_path):
    recording = made(tmp_path, codepage="ANSI", encoding="cp1252", names=("Œil–L", "é", "\u20ac"))
    assert recording.signal(0).channels.names == ("Œil–L", "é", "€")


@given(text=st.text(max_size=40))
def test_escaping_keeps_texts(text):
    stored = escaped(text)
    assert "," not in stored
    assert len(stored.splitlines()) <= 1
    if "\\1" not in text and "\0" not in text and len(text.splitlines()) <= 1:
        assert unescaped(stored) == "".join(text.splitlines())


def test_unit_text_of_default():
    assert (unit_text("  "), unit_text("S")) == ("uV", "S")


# ---------------------------------------------------------------- rates


@pytest.mark.parametrize(
    ("interval", "rate"),
    [
        ("2000", Fraction(500)),
        ("3906.25", Fraction(256)),
        ("488.28125", Fraction(2048)),
        ("33.3333333", Fraction(30000)),
        ("33.33333333333333", Fraction(30000)),
        ("45.351473923", Fraction(22050)),
        ("999.123456789", Fraction(10**15, 999123456789)),
        ("333.333", Fraction(10**9, 333333)),
        ("1e3", Fraction(1000)),
        ("2.5E+02", Fraction(4000)),
        ("5000000", Fraction(1, 5)),
    ],
)
def test_rates(interval, rate, tmp_path):
    assert made(tmp_path, interval=interval).signal(0).rate == rate


@pytest.mark.parametrize(
    "interval", ["", "0", "-5", "nan", "inf", "1e999999999", "1e-400", "2000,5", "x", "1_000"]
)
def test_intervals_that_are_none(interval, tmp_path):
    with pytest.raises(CorruptError, match="SamplingInterval"):
        made(tmp_path, interval=interval)


# ---------------------------------------------------------------- segments


SEGMENTED = synth.RECIPES["segments"]


def test_segmented(tmp_path):
    recording = opened(synth.write_sample("segments", tmp_path), segmented=True)
    runs = recording.signal(0).runs
    assert runs["count"].tolist() == [20, 20, 20]
    assert runs["tick"].tolist() == [0, 0, 0]
    assert runs["segment"].tolist() == [0, 1, 2]
    assert [(s.t_start, s.t_stop) for s in recording.segments] == [(0.0, 0.04)] * 3
    assert [s.rec_datetime for s in recording.segments] == [
        datetime(2024, 2, 29, 23, 59, 59, 123456),
        datetime(2024, 3, 1, 0, 1, 0, 0),
        None,
    ]
    stream, found = events(recording, "New Segment")
    assert found["tick"].tolist() == [0, 0, 0]
    assert stream.runs["segment"].tolist() == [0, 1, 2]
    stream, found = events(recording, "Response")
    assert (found["tick"].tolist(), stream.runs["segment"].tolist()) == ([19], [1])
    assert recording.problems == ()
    np.testing.assert_array_equal(recording.read_signal(0), synth.stored_numbers(60))


def test_segments_stay_joined_by_default(tmp_path):
    recording = opened(synth.write_sample("segments", tmp_path))
    assert len(recording.segments) == 1
    assert recording.blocks[0].annotations["segmentation_type"] == "MARKERBASED"
    assert recording.blocks[0].annotations["segment_data_points"] == 20
    _, found = events(recording, "New Segment")
    assert found["tick"].tolist() == [0, 20, 40]
    assert found["dates"].tolist() == ["2024-02-29T23:59:59.123456", "2024-03-01T00:01:00", ""]


def test_segmented_with_a_shorter_last_segment(tmp_path):
    path = synth.write(tmp_path, replace(SEGMENTED, segment_points=25), synth.stored_numbers(60))
    recording = opened(path, segmented=True)
    assert recording.signal(0).runs["count"].tolist() == [25, 25, 10]
    assert "60 points are not whole segments of 25" in reasons(recording)[0]


def test_markers_of_segments_that_are_not_there(tmp_path):
    path = synth.write_sample("segments", tmp_path)
    data = (tmp_path / "rec.eeg").read_bytes()
    (tmp_path / "rec.eeg").write_bytes(data[: 27 * 6])
    recording = opened(path, segmented=True)
    stream, found = events(recording, "New Segment")
    assert (found["tick"].tolist(), stream.runs["segment"].tolist()) == ([0, 0], [0, 1])
    _, found = events(recording, "Response")
    assert found["tick"].tolist() == [19]  # in the segment, behind its data
    assert [(p.reason, p.lost) for p in recording.problems][-1] == (
        "markers behind the last segment are left out",
        1,
    )


def test_a_type_for_each_marker_takes_no_square_of_time(tmp_path):
    count = 20_000
    recording = marker_lines(tmp_path, *(f"Mk{i}=T{i},x,{i % 60 + 1},1,0" for i in range(count)))
    assert [table.name for table in recording.tables] == [f"T{i}" for i in range(count)]
    assert recording.read_table(count - 1)["tick"].tolist() == [(count - 1) % 60]


def test_segmented_asked_for_in_vain(tmp_path):
    path = synth.write(tmp_path, Recipe(), synth.stored_numbers(60))
    recording = opened(path, segmented=True)
    assert len(recording.segments) == 1
    assert "no segments of equal length" in reasons(recording)[0]


def test_bad_segment_length_is_noted(tmp_path):
    recording = made(tmp_path, SEGMENTED, segment_points=-4)
    assert reasons(recording) == ["found '-4', expected a whole number; it is ignored"]


# ---------------------------------------------------------------- which file is opened


@pytest.mark.parametrize("suffix", ["vhdr", "vmrk", "eeg"])
def test_any_of_the_three_files(suffix, tmp_path):
    synth.write(tmp_path, Recipe(), synth.stored_numbers(60))
    recording = open_recording(tmp_path / f"rec.{suffix}", format="brainvision")
    np.testing.assert_array_equal(recording.read_signal(0), synth.stored_numbers(60))
    assert len(recording.tables) == 4


def test_data_file_of_another_base_name(tmp_path):
    synth.write(tmp_path, Recipe(data_name="raw.eeg"), synth.stored_numbers(60))
    (tmp_path / "rec.eeg").rename(tmp_path / "raw.eeg")
    (tmp_path / "other.vhdr").write_bytes(b"not a header")
    recording = opened(tmp_path / "raw.eeg")
    np.testing.assert_array_equal(recording.read_signal(0), synth.stored_numbers(60))


def test_data_file_without_a_header_says_what_to_open(tmp_path):
    (tmp_path / "raw.eeg").write_bytes(bytes(100))
    with pytest.raises(FormatError, match=r"open the \.vhdr file instead"):
        opened(tmp_path / "raw.eeg")


def test_data_file_of_two_headers_names_them(tmp_path):
    for base in ("one", "two"):
        synth.write(tmp_path, Recipe(data_name="raw.eeg"), synth.stored_numbers(9), base=base)
    (tmp_path / "one.eeg").rename(tmp_path / "raw.eeg")
    with pytest.raises(FormatError, match=r"belongs to one\.vhdr and two\.vhdr"):
        opened(tmp_path / "raw.eeg")


@pytest.mark.parametrize("first_line", [Recipe().header_line, None])
def test_header_without_its_ending(first_line, tmp_path):
    synth.write(tmp_path, Recipe(header_line=first_line), synth.stored_numbers(60))
    (tmp_path / "rec.vhdr").rename(tmp_path / "rec.txt")
    recording = opened(tmp_path / "rec.txt")
    np.testing.assert_array_equal(recording.read_signal(0), synth.stored_numbers(60))


@pytest.mark.parametrize("suffix", ["vhdr", "eeg", "vmrk"])
def test_renamed_triplet(suffix, tmp_path):
    recipe = Recipe(data_name="old.eeg", marker_name="old.vmrk")
    synth.write(tmp_path, recipe, synth.stored_numbers(60))
    recording = opened(tmp_path / f"rec.{suffix}")
    np.testing.assert_array_equal(recording.read_signal(0), synth.stored_numbers(60))
    assert len(recording.tables) == 4
    assert reasons(recording) == [
        "there is no 'old.eeg'; 'rec.eeg' is taken, which has the header's own name",
        "there is no 'old.vmrk'; 'rec.vmrk' is taken, which has the header's own name",
    ]


def test_renamed_data_of_another_ending(tmp_path):
    recipe = Recipe(data_name="old.eeg", suffixes=("vhdr", "vmrk", "dat"), opened=2)
    recording = opened(synth.write(tmp_path, recipe, synth.stored_numbers(60)))
    np.testing.assert_array_equal(recording.read_signal(0), synth.stored_numbers(60))


def test_names_in_another_case(tmp_path):
    recording = made(tmp_path, data_name="REC.EEG", marker_name="REC.VMRK")
    np.testing.assert_array_equal(recording.read_signal(0), synth.stored_numbers(60))
    assert recording.problems == ()


def test_missing_data_file_is_named(tmp_path):
    path = synth.write(tmp_path, Recipe(data_name="old.eeg"), synth.stored_numbers(60))
    (tmp_path / "rec.eeg").unlink()
    with pytest.raises(CorruptError, match=r"tried: old\.eeg, rec\.eeg"):
        opened(path)


def test_missing_marker_file(tmp_path):
    path = synth.write(tmp_path, Recipe(), synth.stored_numbers(60))
    (tmp_path / "rec.vmrk").unlink()
    recording = opened(path)
    assert recording.tables == ()
    assert "there are no events; tried: rec.vmrk" in reasons(recording)[0]
    assert recording.blocks[0].rec_datetime is None


@pytest.mark.parametrize("name", ["../rec.eeg", "/etc/x.eeg", "C:\\data\\rec.eeg", "a/../../b.eeg"])
def test_names_that_lead_out_of_the_folder(name, tmp_path):
    path = synth.write(tmp_path, Recipe(data_name=name), synth.stored_numbers(60))
    with pytest.raises(CorruptError, match="leads out of the recording's folder"):
        opened(path)
    recording = opened(path, salvage=True)  # the file that has the header's name
    np.testing.assert_array_equal(recording.read_signal(0), synth.stored_numbers(60))


def test_name_that_is_too_long(tmp_path):
    path = synth.write(tmp_path, Recipe(data_name="x" * 5000 + ".eeg"), synth.stored_numbers(60))
    np.testing.assert_array_equal(opened(path).read_signal(0), synth.stored_numbers(60))


def test_data_in_a_folder_below(tmp_path):
    path = synth.write(tmp_path, Recipe(data_name="raw\\x.eeg"), synth.stored_numbers(60))
    (tmp_path / "raw").mkdir()
    (tmp_path / "rec.eeg").rename(tmp_path / "raw" / "x.eeg")
    np.testing.assert_array_equal(opened(path).read_signal(0), synth.stored_numbers(60))


# ---------------------------------------------------------------- recognising


def confidence(files, path):
    found = FileSet(path, memory=files)
    return brainvision.sniff(found, found.main.head(16384))


HEADER = synth.header_text(Recipe(), "rec", 60).encode()
MARKERS = synth.marker_text(Recipe(), "rec").encode()


@pytest.mark.parametrize(
    ("files", "path", "expected"),
    [
        ({"rec.vhdr": HEADER}, "rec.vhdr", 1.0),
        ({"rec.vhdr": b"\xef\xbb\xbf" + HEADER}, "rec.vhdr", 1.0),
        ({"a.txt": HEADER}, "a.txt", 1.0),
        ({"rec.vmrk": MARKERS}, "rec.vmrk", 1.0),
        ({"rec.vhdr": HEADER.split(b"\n", 1)[1]}, "rec.vhdr", 0.9),
        ({"rec.vmrk": MARKERS.split(b"\n", 1)[1]}, "rec.vmrk", 0.9),
        ({"rec.txt": HEADER.split(b"\n", 1)[1]}, "rec.txt", 0.5),
        ({"rec.eeg": b"\1\2", "rec.vhdr": HEADER}, "rec.eeg", 0.9),
        ({"rec.dat": b"\1\2", "rec.vhdr": HEADER}, "rec.dat", 0.9),  # rec.eeg is not there
        ({"rec.dat": b"", "rec.eeg": b"", "rec.vhdr": HEADER}, "rec.dat", 0.05),
        ({"x.eeg": b"\1\2", "rec.vhdr": HEADER}, "x.eeg", 0.1),
        ({"x.eeg": b"\1\2", "x.eeg.ent": b""}, "x.eeg", 0.0),
        ({"x.eeg": b"\1\2", "x.xml": b""}, "x.eeg", 0.0),
        ({"x.eeg": b"EEG-1100C V01.00", "x.vhdr": HEADER}, "x.eeg", 0.0),
        ({"x.vhdr": b"\1\2"}, "x.vhdr", 0.1),
        ({"x.seg": b"\1\2"}, "x.seg", 0.05),
        ({"x.abf": b"ABF2"}, "x.abf", 0.0),
        ({"x": b""}, "x", 0.0),
    ],
)
def test_sniff(files, path, expected):
    assert confidence(files, path) == expected


@given(head=st.binary(max_size=200), suffix=st.sampled_from(["vhdr", "eeg", "vmrk", "dat", "x"]))
@settings(deadline=None)
def test_sniff_never_raises(head, suffix):
    assert 0 <= confidence({f"f.{suffix}": head, "f.vhdr": head}, f"f.{suffix}") <= 1


# ---------------------------------------------------------------- headers that cannot be


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        (b"NumberOfChannels=3\r\n", b"", "NumberOfChannels.*it is missing"),
        (b"NumberOfChannels=3", b"NumberOfChannels=0", "found 0, expected 1 or more"),
        (b"NumberOfChannels=3", b"NumberOfChannels=-1", "found -1"),
        (b"NumberOfChannels=3", b"NumberOfChannels=many", "found 'many', expected a whole"),
        (b"NumberOfChannels=3", b"NumberOfChannels=" + b"9" * 5000, "expected a whole number"),
        (b"NumberOfChannels=3", b"NumberOfChannels=4", "4 channels are announced.*lists 3"),
        (b"NumberOfChannels=3", b"NumberOfChannels=2", "2 channels are announced.*lists 3"),
        (b"Ch2=", b"Ch7=", "lists 3 and Ch2 is missing"),
        (b"\r\nCh", b"\r\nKanal", "no channel is listed"),
        (b"MULTIPLEXED\r\nN", b"DIAGONAL\r\nN", "DataOrientation.*found 'DIAGONAL'"),
        (b"DataOrientation=MULTIPLEXED\r\n", b"", "DataOrientation.*it is missing"),
        (b"DataFormat=BINARY", b"DataFormat=XML", "found 'XML', expected BINARY or ASCII"),
        (b"BinaryFormat=INT_16", b"BinaryFormat=INT_8", "found 'INT_8', expected IEEE_FLOAT_32"),
        (b"BinaryFormat=INT_16\r\n", b"", "BinaryFormat.*it is missing"),
        (b"INT_16", b"INT_16\r\nUseBigEndianOrder=PERHAPS", "UseBigEndianOrder.*PERHAPS"),
        (b"Fp1,,0.5", b"Fp1,,0,5", "Ch1.*resolution '0'"),
        (b"Fp1,,0.5", b"Fp1,,much", "Ch1.*resolution 'much'"),
        (b"DataFile=rec.eeg\r\n", b"", "does not name its data file"),
    ],
)
def test_bad_headers(old, new, match, tmp_path):
    with pytest.raises(CorruptError, match=match):
        edited(tmp_path, (old, new))


def test_errors_tell_the_line(tmp_path):
    with pytest.raises(CorruptError) as caught:
        edited(tmp_path, (b"NumberOfChannels=3", b"NumberOfChannels=x"))
    assert caught.value.offset == HEADER.index(b"NumberOfChannels")
    assert caught.value.field == "[Common Infos] NumberOfChannels"
    assert caught.value.path == str(tmp_path / "rec.vhdr")


def test_frequency_domain_is_refused(tmp_path):
    with pytest.raises(UnsupportedVersionError, match="FREQUENCYDOMAIN are not read"):
        made(tmp_path, common=("DataType=FREQUENCYDOMAIN",))


def test_salvage_takes_the_channels_that_are_listed(tmp_path):
    recording = edited(tmp_path, (b"Ch3=", b"Ch7="), salvage=True)
    assert recording.signal(0).channels.names == ("Fp1", "a,b")
    np.testing.assert_array_equal(recording.read_signal(0), synth.stored_numbers(60)[:, :2])


def test_salvage_of_more_lines_than_channels(tmp_path):
    recording = edited(tmp_path, (b"NumberOfChannels=3", b"NumberOfChannels=2"), salvage=True)
    stored = synth.stored_numbers(60).reshape(-1, 2)
    np.testing.assert_array_equal(recording.read_signal(0), stored)


def test_salvage_of_a_bad_resolution(tmp_path):
    recording = edited(tmp_path, (b"Fp1,,0.5", b"Fp1,,x"), salvage=True)
    np.testing.assert_array_equal(recording.signal(0).channels.gain, [1, 0.1, 1])


def test_missing_first_lines_are_noted(tmp_path):
    recording = made(tmp_path, synth.RECIPES["no-first-lines"])
    assert reasons(recording) == [
        "the first line is not that of a BrainVision header",
        "the first line is not that of a BrainVision marker file",
    ]


def test_names_that_occur_twice(tmp_path):
    recording = made(tmp_path, names=("A", "B", "A"))
    assert recording.signal(0).channels.names == ("A", "B", "A")
    assert "channel names occur more than once: A" in reasons(recording)[0]


def test_channel_without_a_name(tmp_path):
    assert made(tmp_path, names=("A", "", "C")).signal(0).channels.names == ("A", "Ch2", "C")


def test_unit_without_a_resolution(tmp_path):
    channels = made(tmp_path, resolutions=("", "", ""), units=("nV", "V", "µV")).signal(0).channels
    assert (channels.gain.tolist(), channels.units) == ([1, 1, 1], ("nV", "V", "µV"))


def test_coordinates_that_are_not_there(tmp_path):
    recording = edited(
        tmp_path, (b"Ch2=1,45.5,90\r\n", b"Ch2=x,y\r\n"), recipe=synth.RECIPES["int16"]
    )
    extra = recording.signal(0).channels.extra
    np.testing.assert_array_equal(extra["coordinates_1"], [-92, np.nan, 0])
    assert "expected radius, theta and phi" in reasons(recording)[0]


def test_bad_data_points_are_noted(tmp_path):
    recording = edited(tmp_path, (b"DataPoints=60", b"DataPoints=all"))
    assert recording.signal(0).length == 60
    assert "found 'all'" in reasons(recording)[0]


# ---------------------------------------------------------------- data files of other sizes


def test_incomplete_last_sample_is_cut(tmp_path):
    path = synth.write(tmp_path, Recipe(data_points=False), synth.stored_numbers(60))
    with (tmp_path / "rec.eeg").open("ab") as file:
        file.write(b"\1\2\3")
    recording = opened(path)
    np.testing.assert_array_equal(recording.read_signal(0), synth.stored_numbers(60))
    assert "the last 3 bytes are left out" in reasons(recording)[0]
    assert recording.problems[0].offset == 360


@pytest.mark.parametrize("promised", [50, 70])
def test_multiplexed_trusts_the_size(promised, tmp_path):
    recording = edited(tmp_path, (b"DataPoints=60", b"DataPoints=%d" % promised))
    np.testing.assert_array_equal(recording.read_signal(0), synth.stored_numbers(60))
    assert reasons(recording) == [
        f"DataPoints={promised}, the data file holds 60; the file is right"
    ]


VECTORIZED = synth.RECIPES["int16-vectorized"]


def test_vectorized_takes_data_points_that_fit(tmp_path):
    path = synth.write(tmp_path, VECTORIZED, synth.stored_numbers(60))
    with (tmp_path / "rec.eeg").open("ab") as file:
        file.write(bytes(60))
    recording = opened(path)
    np.testing.assert_array_equal(recording.read_signal(0), synth.stored_numbers(60))
    assert "the first 60 of each channel are read" in reasons(recording)[0]


def test_vectorized_without_data_points_goes_by_the_size(tmp_path):
    recording = made(tmp_path, VECTORIZED, data_points=False)
    np.testing.assert_array_equal(recording.read_signal(0), synth.stored_numbers(60))


def test_cut_vectorized_file_is_refused_and_salvaged(tmp_path):
    path = synth.write(tmp_path, VECTORIZED, synth.stored_numbers(60))
    data = (tmp_path / "rec.eeg").read_bytes()
    (tmp_path / "rec.eeg").write_bytes(data[: 2 * 60 * 2 + 50])
    with pytest.raises(TruncatedError, match=r"need 360 bytes, the file has 290.*the 2 channels"):
        opened(path)
    recording = opened(path, salvage=True)
    assert recording.signal(0).channels.names == ("Fp1", "a,b")
    np.testing.assert_array_equal(recording.read_signal(0), synth.stored_numbers(60)[:, :2])
    assert recording.problems[0].lost == 1
    (tmp_path / "rec.eeg").write_bytes(data[:50])
    with pytest.raises(TruncatedError):
        opened(path, salvage=True)


def test_empty_data_file(tmp_path):
    recording = made(tmp_path, stored=synth.stored_numbers(0), data_points=False, markers=())
    assert recording.read_signal(0).shape == (0, 3)
    assert recording.tables == ()


# ---------------------------------------------------------------- markers


def marker_lines(folder, *lines):
    text = MARKERS.split(b"Mk1=")[0] + "\r\n".join(lines).encode()
    path = synth.write(folder, Recipe(), synth.stored_numbers(60))
    (folder / "rec.vmrk").write_bytes(text)
    return opened(path)


def test_markers_out_of_order_are_sorted_stably(tmp_path):
    recording = marker_lines(
        tmp_path, "Mk1=S,c,9,1,0", "Mk2=S,a,2,1,0", "Mk3=S,d,9,1,0", "Mk4=S,b,3,1,0"
    )
    _, found = events(recording, "S")
    assert found["tick"].tolist() == [1, 2, 8, 8]
    assert found["label"].tolist() == ["a", "b", "c", "d"]


def test_markers_outside_of_the_data_are_kept(tmp_path):
    recording = marker_lines(tmp_path, "Mk1=S,a,0,1,0", "Mk2=S,b,61,1,0", "Mk3=S,c,60,1,0")
    _, found = events(recording, "S")
    assert found["tick"].tolist() == [-1, 59, 60]
    assert (
        "2 markers lie outside of the data (1 to 60), the first at position 0"
        in (reasons(recording)[0])
    )


def test_markers_that_are_none(tmp_path):
    recording = marker_lines(
        tmp_path, "Mk1=S,a,5,1,0", "Mk2=S,b", "Mk3=", "Mk4=S,c,x,1,0", "nonsense", "; Mk5=S,d,5,1,0"
    )
    _, found = events(recording, "S")
    assert found["label"].tolist() == ["a"]
    assert reasons(recording) == [
        "a marker with fewer than 3 fields is left out (2 times, first here)",
        "a marker whose position is not a number is left out",
    ]
    assert [problem.lost for problem in recording.problems] == [2, 1]


def test_marker_fields_that_are_empty(tmp_path):
    recording = marker_lines(
        tmp_path, "Mk1=S,a,5", "mk2=S,,6,,", "Mk3=S,c,7,n/a,all,20200101000000000000"
    )
    _, found = events(recording, "S")
    assert found["durations"].tolist() == [0, 0, 0]
    assert found["channels"].tolist() == [0, 0, 0]
    assert found["label"].tolist() == ["a", "", "c"]
    assert found["dates"].tolist() == ["", "", "2020-01-01T00:00:00"]
    assert recording.blocks[0].rec_datetime is None  # only New Segment tells when it began
    assert recording.problems == ()


def test_raw_commas_in_a_description(tmp_path):
    recording = marker_lines(tmp_path, "Mk1=Comment,one, two, three,5,2,1", "Mk2=Comment,a,b,c")
    _, found = events(recording, "Comment")
    assert found["label"].tolist() == ["one, two, three"]
    assert (found["tick"].tolist(), found["durations"].tolist()) == ([4], [0.004])
    assert "should be written \\1" in reasons(recording)[0]


def test_positions_that_are_not_whole(tmp_path):
    recording = marker_lines(tmp_path, "Mk1=S,a,5.0,1,0", "Mk2=S,b,6.7,1,0")
    _, found = events(recording, "S")
    assert found["tick"].tolist() == [4, 6]
    assert reasons(recording) == ["a position is not a whole number; it is rounded"]


@pytest.mark.parametrize(
    ("date", "noted"), [("0" * 20, False), ("20201341000000000000", True), ("2020", True)]
)
def test_dates_that_are_unknown(date, noted, tmp_path):
    recording = marker_lines(
        tmp_path, f"Mk1=New Segment,,1,1,0,{date}", "Mk2=New Segment,,9,1,0,20210203040506070809"
    )
    assert recording.blocks[0].rec_datetime == datetime(2021, 2, 3, 4, 5, 6, 70809)
    assert len(recording.problems) == noted


def test_marker_file_of_something_else(tmp_path):
    path = synth.write(tmp_path, Recipe(), synth.stored_numbers(60))
    (tmp_path / "rec.vmrk").write_bytes(b"\0\1\2 whatever")
    recording = opened(path)
    assert recording.tables == ()
    assert "no section [Marker Infos]" in reasons(recording)[1]


def test_one_long_label_among_many_takes_no_room(tmp_path):
    lines = [f"Mk{i}=S,a,5,1,0" for i in range(300)]
    recording = marker_lines(tmp_path, *lines, "Mk999=S," + "x" * 100_000 + ",6,1,0")
    _, found = events(recording, "S")
    assert found["label"].dtype == object
    assert len(found["label"][-1]) == 100_000


def test_many_markers(tmp_path):
    positions = np.arange(1, 20_001) % 60 + 1
    lines = [f"Mk{i}=T{i % 3},S{i},{p},1,0" for i, p in enumerate(positions.tolist())]
    recording = marker_lines(tmp_path, *lines)
    for kind in range(3):
        rows = np.arange(kind, 20_000, 3)
        rows = rows[np.argsort(positions[rows], kind="stable")]
        _, found = events(recording, f"T{kind}")
        np.testing.assert_array_equal(found["tick"], positions[rows] - 1)
        np.testing.assert_array_equal(found["label"], [f"S{i}" for i in rows])


# ---------------------------------------------------------------- text data


TEXT = Recipe(data_format="ASCII", data_points=False, markers=())


def text_data(folder, data, recipe=TEXT, **options):
    path = synth.write(folder, recipe, synth.stored_numbers(0))
    (folder / "rec.eeg").write_bytes(data)
    return opened(path, **options)


def test_text_numbers_of_all_forms(tmp_path):
    recording = text_data(tmp_path, b"1 -2.5 +3e2\n  .5\t1E-3 7.\n\n nan inf -inf\n \n")
    np.testing.assert_array_equal(
        recording.read_signal(0), [[1, -2.5, 300], [0.5, 0.001, 7], [np.nan, np.inf, -np.inf]]
    )


def test_text_without_a_last_line_end(tmp_path):
    np.testing.assert_array_equal(
        text_data(tmp_path, b"1 2 3\r\n4 5 6").read_signal(0), [[1, 2, 3], [4, 5, 6]]
    )


def test_text_with_an_incomplete_last_line(tmp_path):
    recording = text_data(tmp_path, b"1 2 3\n4 5 6\n7 8")
    np.testing.assert_array_equal(recording.read_signal(0), [[1, 2, 3], [4, 5, 6]])
    assert reasons(recording) == ["the last line is incomplete; it is left out"]


def test_text_is_in_the_unit_already(tmp_path):
    recording = text_data(tmp_path, b"1 2 3\n")
    np.testing.assert_array_equal(recording.read_scaled(0), [[1, 2, 3]])
    assert recording.signal(0).channels.extra["resolution"].tolist() == [0.5, 0.1, 1]


def test_names_of_other_alphabets_in_skipped_columns(tmp_path):
    data = "à\u00a0\x85 1 2 3\né 4 5 6\n".encode()
    recipe = replace(TEXT, skip_columns=1)
    np.testing.assert_array_equal(
        text_data(tmp_path, data, recipe).read_signal(0), [[1, 2, 3], [4, 5, 6]]
    )


def test_text_index_across_scan_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr("ephyrus.formats.brainvision.textdata._SCAN_BYTES", 7)
    monkeypatch.setattr("ephyrus.formats.brainvision.textdata.STEP", 4)
    stored = np.round(synth.stored_numbers(60, 3, "IEEE_FLOAT_64"), 4)
    for name in ("text", "text-tabs-decimal-comma", "text-vectorized", "text-commas"):
        recording = opened(synth.write_sample(name, tmp_path))
        np.testing.assert_array_equal(recording.read_signal(0), stored)
        for start, stop in ((0, 1), (3, 5), (4, 8), (59, 60), (13, 58)):
            np.testing.assert_array_equal(recording.read_signal(0, start, stop), stored[start:stop])


def test_text_slices_read_only_their_part(tmp_path):
    stored = np.round(synth.stored_numbers(30_000, 3, "IEEE_FLOAT_64"), 4)
    for orientation in ("MULTIPLEXED", "VECTORIZED"):
        recipe = Recipe(data_format="ASCII", orientation=orientation)
        recording = opened(synth.write(tmp_path, recipe, stored))
        source = recording.reading.files.source("rec.eeg")
        before = source.bytes_read
        np.testing.assert_array_equal(recording.read_signal(0, 9000, 9010), stored[9000:9010])
        assert source.bytes_read - before < 3 * 4096 * 10


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"1 2\n3 4\n", "the first line holds 2 columns, expected 3"),
        (b"1 2 3\n4 x 6\n7 8 9\n", "not all are numbers"),
        (b"1 2 3\n4 5\n7 8 9\n", "not all are numbers"),
        (b"1 2 3\n   \n7 8 9\n", "2 lines with numbers, expected 3"),
    ],
)
def test_text_that_is_damaged(data, match, tmp_path):
    with pytest.raises(CorruptError, match=match):
        text_data(tmp_path, data).read_signal(0)


def test_text_line_without_numbers(tmp_path):
    recording = text_data(tmp_path, b"1 2 3\n   \n7 8 9\n")
    np.testing.assert_array_equal(recording.read_signal(0, 0, 1), [[1, 2, 3]])
    with pytest.raises(CorruptError, match="a line without numbers"):
        recording.read_signal(0, 1, 2)


VECTORIZED_TEXT = replace(TEXT, orientation="VECTORIZED")


def test_vectorized_text_of_unequal_lengths(tmp_path):
    data = b"1 2 3\n4 5\n7 8 9\n"
    with pytest.raises(TruncatedError, match="channel 2 has 2 points, others up to 3"):
        text_data(tmp_path, data, VECTORIZED_TEXT)
    recording = text_data(tmp_path, data, VECTORIZED_TEXT, salvage=True)
    np.testing.assert_array_equal(recording.read_signal(0), [[1, 4, 7], [2, 5, 8]])


def test_vectorized_text_with_missing_channels(tmp_path):
    data = b"1 2 3\n4 5 6\n"
    with pytest.raises(TruncatedError, match=r"3 channels are promised.*there are 2 lines"):
        text_data(tmp_path, data, VECTORIZED_TEXT)
    recording = text_data(tmp_path, data, VECTORIZED_TEXT, salvage=True)
    np.testing.assert_array_equal(recording.read_signal(0), [[1, 4], [2, 5], [3, 6]])
    assert recording.signal(0).channels.names == ("Fp1", "a,b")


def test_vectorized_text_that_is_no_number(tmp_path):
    recording = text_data(tmp_path, b"1 2\n3 x\n5 6\n", VECTORIZED_TEXT)
    with pytest.raises(CorruptError, match="not all are numbers"):
        recording.read_signal(0)


def test_empty_text(tmp_path):
    assert text_data(tmp_path, b"").read_signal(0).shape == (0, 3)
    assert text_data(tmp_path, b" \r\n").read_signal(0).shape == (0, 3)


def test_text_with_other_data_points_is_noted(tmp_path):
    recording = made(tmp_path, TEXT, common=("DataPoints=7",))
    assert reasons(recording) == ["DataPoints=7, the data file holds 60; the file is right"]


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        (b"DecimalSymbol=.", b"DecimalSymbol=;", "DecimalSymbol.*expected . or ,"),
        (b"SkipLines=0", b"SkipLines=-1", "SkipLines.*expected 0 or more"),
        (b"SkipColumns=0", b"SkipColumns=x", "SkipColumns.*expected a whole number"),
    ],
)
def test_bad_text_layouts(old, new, match, tmp_path):
    with pytest.raises(CorruptError, match=match):
        edited(tmp_path, (old, new), recipe=TEXT)


# ---------------------------------------------------------------- costs


@pytest.mark.parametrize("name", ["int16", "int16-vectorized"])
def test_opening_does_not_touch_the_data(name, tmp_path):
    sample = next(sample for sample in synth.samples() if sample.name == name)
    recording = opened(sample.large(tmp_path))
    source = recording.reading.files.source("rec.eeg")
    assert (source.bytes_read, source.size) == (0, 128_000_000)
    one = recording.read_signal(0, 900_000, 900_010, 63)
    assert one.shape == (10, 1)
    assert not one.flags.owndata  # a view of the mapping
    whole = recording.read_signal(0)
    assert whole.shape == (1_000_000, 64)
    assert not whole.flags.owndata
    assert not whole.flags.writeable


def test_channels_are_picked_in_any_order_of_a_vectorized_file(tmp_path):
    recording = made(tmp_path, VECTORIZED)
    stored = synth.stored_numbers(60)
    for chosen in ([2, 0], [1], [1, 1], [0, 1, 2], [2, 1, 0]):
        np.testing.assert_array_equal(recording.read_signal(0, 3, 50, chosen), stored[3:50, chosen])


# ---------------------------------------------------------------- real recordings


REAL = {
    "test.vhdr": 32,
    "test_highpass.vhdr": 32,
    "test_units.vhdr": 32,
    "testv2.vhdr": 32,
    "testbva.vhdr": 32,
    "Analyzer_nV_Export.vhdr": 32,
    "test_old_layout_latin1_software_filter.vhdr": 29,
}
SI = {"nV": 1e-9, "mV": 1e-3, "V": 1.0, "uV": 1e-6, "µV": 1e-6, "µS": 1e-6, "uS": 1e-6}


@pytest.mark.real
@pytest.mark.parametrize("name", REAL)
def test_real_signals(name):
    recording = opened(data_path(f"brainvision/{name}"))
    expected = golden(f"brainvision/{name}")
    stream = recording.signal(0)
    assert len(stream.channels) == REAL[name]
    values = recording.read_scaled(stream)
    if "segments" in expected:
        (segment,) = expected["segments"]
        assert len(segment["channels"]) == REAL[name]
        for i, channel in enumerate(segment["channels"]):
            assert (stream.channels.names[i], float(stream.rate)) == (
                channel["name"],
                channel["sampling_rate"],
            )
            assert_channel(values[:, i], channel)
    (segment,) = expected["second"]["segments"]
    for i, channel in enumerate(segment["channels"]):
        assert stream.channels.names[i] == channel["name"]
        scale = SI.get(stream.channels.units[i], 1.0)  # the second peer gives SI units
        assert_channel(values[:, i].astype(np.float64) * scale, channel)


@pytest.mark.real
@pytest.mark.parametrize(
    "name", sorted(set(REAL) - {"test_old_layout_latin1_software_filter.vhdr"})
)
def test_real_markers(name):
    recording = opened(data_path(f"brainvision/{name}"))
    (segment,) = golden(f"brainvision/{name}")["segments"]
    rate = float(recording.signal(0).rate)
    assert {table.name for table in recording.tables} == {e["name"] for e in segment["events"]}
    for expected in segment["events"]:
        _, found = events(recording, expected["name"])
        # the first peer takes positions for indices: one sample late (page, DISAGREEMENTS.md)
        assert_points((found["tick"] + 1) / rate, expected)
        labels = found["label"].tolist()
        assert {label: labels.count(label) for label in labels} == expected["label_counts"]


@pytest.mark.real
@pytest.mark.parametrize("name", REAL)
def test_real_markers_of_the_second_peer(name):
    recording = opened(data_path(f"brainvision/{name}"))
    second = golden(f"brainvision/{name}")["second"]
    (expected,) = second["segments"][0]["events"]
    rate = float(recording.signal(0).rate)
    times = []
    for table in recording.tables:
        found = recording.read_table(table)
        # it leaves out the beginning, and what lies outside of the data
        kept = (found["tick"] < recording.signal(0).length) & (
            (table.name != "New Segment") | (found["tick"] > 0)
        )
        times += (found["tick"][kept] / rate).tolist()
    assert_points(np.sort(times), expected)
    if second["meas_date"] == "None":
        assert recording.blocks[0].rec_datetime is None
    else:
        began = datetime.fromisoformat(second["meas_date"]).replace(tzinfo=None)
        assert recording.blocks[0].rec_datetime == began


@pytest.mark.real
def test_real_header_facts():
    recording = opened(data_path("brainvision/test.vhdr"))
    units = recording.signal(0).channels.units
    assert units[:4] == ("µV", "uV", "uV", "µV")
    assert units[26:] == ("BS", "µS", "ARU", "uS", "S", "C")
    assert recording.info.software == "Vision Recorder"
    assert recording.blocks[0].annotations["comment"].startswith("A m p l i f i e r  S e t u p\n")
    assert recording.blocks[0].annotations["comment"].endswith("Gnd:          4")
    assert recording.problems == ()
    found = recording.read_table("Stimulus", columns=["durations"])
    assert found["durations"].tolist() == [0, 0.001, 0.001, 0.001, 0.001, 0.001, 0.001]


@pytest.mark.real
def test_real_coordinates():
    recording = opened(data_path("brainvision/testbva.vhdr"))
    extra = recording.signal(0).channels.extra
    place = [float(extra[f"coordinates_{i}"][27]) for i in range(3)]
    assert place == [1, -120, 20]
    assert set(recording.signal(0).channels.units) == {"uV"}


@pytest.mark.real
def test_real_latin1_header():
    recording = opened(data_path("brainvision/test_old_layout_latin1_software_filter.vhdr"))
    assert "Sampling Interval [µS]: 4000" in recording.blocks[0].annotations["comment"]
    assert recording.signal(0).dtype == np.dtype("<f4")
    assert recording.problems == ()


@pytest.mark.real
def test_real_data_points_that_are_wrong():
    recording = opened(data_path("brainvision/Analyzer_nV_Export.vhdr"))
    assert reasons(recording) == ["DataPoints=64, the data file holds 2; the file is right"]


@pytest.mark.real
def test_real_data_file_of_three_headers_is_led_to_its_own():
    recording = opened(data_path("brainvision/test.eeg"))
    assert recording.reading.header.name == "test.vhdr"
    assert recording.signal(0).length == 7900


def test_parsing_is_one_call(monkeypatch, tmp_path):
    calls = []
    loadtxt = np.loadtxt

    def counted(file: io.BytesIO, **options):
        calls.append(options)
        return loadtxt(file, **options)

    monkeypatch.setattr(np, "loadtxt", counted)
    opened(synth.write_sample("text", tmp_path)).read_signal(0)
    assert len(calls) == 1


def test_paths_are_not_opened_as_folders(tmp_path: Path):
    (tmp_path / "rec.eeg").mkdir()
    path = synth.write(
        tmp_path,
        Recipe(data_name="other.eeg", suffixes=("vhdr", "vmrk", "dat")),
        synth.stored_numbers(4),
    )
    with pytest.raises(CorruptError, match="not in the folder"):
        opened(path)


def test_text_that_changes_while_it_is_open(tmp_path):
    path = synth.write(tmp_path, VECTORIZED_TEXT, synth.stored_numbers(0))
    (tmp_path / "rec.eeg").write_bytes(b"11 22\n33 44\n55 66\n")
    with opened(path, access="pread") as recording:
        (tmp_path / "rec.eeg").write_bytes(b"11122\n33344\n55566\n")
        with pytest.raises(CorruptError, match="numbers are missing"):
            recording.read_signal(0)


def test_text_with_an_endless_line(tmp_path, monkeypatch):
    monkeypatch.setattr("ephyrus.formats.brainvision.textdata.HEADER_BYTES", 10)
    with pytest.raises(CorruptError, match="a line of 13 bytes"):
        text_data(tmp_path, b"1 2 3\n4 5 66666666\n7 8 9\n")


def test_endless_header(tmp_path, monkeypatch):
    monkeypatch.setattr("ephyrus.formats.brainvision.header.HEADER_BYTES", 10)
    with pytest.raises(CorruptError, match=r"a header of .* bytes \(at most 10 are read\)"):
        made(tmp_path)


def test_header_facts_that_are_odd(tmp_path):
    recording = edited(
        tmp_path,
        (b"[Channel Infos]", b"[User Infos]\r\nno key here\r\n[Channel Infos]\r\nnor here"),
        (b"Ch2=1,45.5,90\r\n", b""),
        recipe=replace(synth.RECIPES["int16"], common=("Averaged=YES",)),
    )
    np.testing.assert_array_equal(
        recording.signal(0).channels.extra["coordinates_0"], [1, np.nan, 0]
    )
    annotations = recording.blocks[0].annotations
    assert annotations["averaged"] is True
    assert "averaged_segments" not in annotations
    assert recording.problems == ()


def test_vectorized_text_with_a_line_end_inside(tmp_path):
    recording = text_data(tmp_path, b"1 2\r3 4\n5 6 7 8\n9 1 2 3\n", VECTORIZED_TEXT)
    with pytest.raises(CorruptError, match="not all are numbers"):
        recording.read_signal(0)
