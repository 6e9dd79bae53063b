"""Alpha Omega: .mpx and .map against the synthetic writer, and recordings of a Neuro Omega."""

from __future__ import annotations

import os
from datetime import datetime
from fractions import Fraction

import numpy as np
import pytest

import ephyrus
from ephyrus.errors import (
    CorruptError,
    FormatError,
    TruncatedError,
    UnsupportedVersionError,
    WrongFormatError,
)
from ephyrus.formats import alphaomega as module
from ephyrus.recording import FileSet, seconds
from ephyrus.recording.declaration import Opening
from ephyrus.registry import open_recording
from ephyrus.testing.faults import Counter, WatchedFileSet
from tests.golden import assert_channel, assert_points, data_path, golden
from tests.synth.alphaomega import (
    END,
    RESOLUTION,
    Channel,
    Truth,
    after,
    analog_blocks,
    big,
    block,
    head,
    in_rounds,
    map_file,
    message_block,
    value_blocks,
    write_folder,
)

F8 = np.dtype(np.float64)


@pytest.fixture
def opened(tmp_path):
    """Give a function that writes a file and opens it; every recording is closed in the end."""
    recordings = []

    def open_bytes(*parts, name="test.mpx", **options):
        path = tmp_path / name
        path.write_bytes(b"".join(parts))
        recordings.append(open_recording(path, format="alphaomega", **options))
        return recordings[-1]

    yield open_bytes
    for recording in recordings:
        recording.close()


@pytest.fixture
def folder(tmp_path):
    """Give a function that writes files and opens their folder."""
    recordings = []

    def open_folder(files, **options):
        place = tmp_path / "day"
        place.mkdir(exist_ok=True)
        for name, data in files.items():
            (place / name).write_bytes(data)
        recordings.append(open_recording(place, format="alphaomega", **options))
        return recordings[-1]

    yield open_folder
    for recording in recordings:
        recording.close()


def reasons(recording):
    return [problem.reason for problem in recording.problems]


def counts(number, width=10, seed=0):
    """Blocks of random samples."""
    return np.random.default_rng(seed).integers(-2000, 2000, (number, width)).astype("<i2")


def runs(stream):
    return stream.runs[["tick", "count", "segment"]].tolist()


def everything(recording, key, start=0, stop=None):
    """All columns of a table, waveforms too."""
    table = recording.table(key)
    return recording.read_table(table, start, stop, list(table.columns))


ONE = Channel(10384, "RAW 01", samples=10)
LAST = head(0.0, 1.0)


# Values


def test_signals(opened):
    truth = Truth(3)
    rec = opened(truth.tobytes())
    assert [(stream.id, stream.name) for stream in rec.signals] == [("LFP", "LFP"), ("RAW", "RAW")]
    raw, lfp = rec.signal("RAW"), rec.signal("LFP")
    assert raw.channels.names == ("RAW 01", "RAW 02")  # RAW 03 has no data
    assert raw.channels.ids == ("10384", "10385")
    assert raw.channels.units == ("uV", "uV")
    assert (raw.rate, lfp.rate) == (44000, 11000)
    assert runs(raw) == [(truth.tick, 120, 0)]
    assert runs(lfp) == [(truth.lfp_tick, 30, 0)]
    np.testing.assert_array_equal(rec.read_signal(raw), truth.raw)
    np.testing.assert_array_equal(rec.read_signal(lfp), truth.lfp)
    scale = np.array([38.14697265625 / 20, 38.14697265625 / 5])  # an amplitude of 4 is none
    np.testing.assert_allclose(rec.read_scaled(raw, dtype=F8), truth.raw * scale, rtol=1e-14)
    np.testing.assert_allclose(rec.read_scaled(lfp, dtype=F8), truth.lfp * 76.5 / 0.25, rtol=1e-14)
    assert raw.channels.extra["gain"].tolist() == [20.0, 5.0]
    assert raw.channels.extra["bit_resolution"].tolist() == [38.14697265625, 4.0]
    assert raw.channels.extra["duration"].tolist() == [1000.0, 1000.0]
    assert not rec.problems


def test_slices_of_one_channel(opened):
    truth = Truth(4, rounds=50)
    rec = opened(truth.tobytes())
    for start, stop in [(0, 1), (19, 21), (20, 40), (333, 777), (999, 1000), (5, 5)]:
        found = rec.read_signal("RAW", start, stop, ["RAW 02"])
        np.testing.assert_array_equal(found, truth.raw[start:stop, 1:])


def test_spikes(opened):
    truth = Truth(5)
    rec = opened(truth.tobytes())
    table = rec.table("10129")
    assert (table.name, table.kind, table.length, table.clock) == ("SEG 01", "spikes", 9, 44000)
    found = everything(rec, table)
    for name, column in truth.spikes.items():
        np.testing.assert_array_equal(found[name], column)
    present = sorted(set(truth.spikes["unit"].tolist()))
    assert [(unit.id, unit.label) for unit in table.units] == [(k, f"10129#{k}") for k in present]
    expected = [(truth.spikes["unit"] == unit).sum() for unit in present]
    assert table.unit_counts[:, 0].tolist() == expected
    waves = table.waveforms
    assert (waves.rate, waves.left_sweep, waves.unit) == (44000, Fraction(11, 44000), "uV")
    assert waves.gain == 38.14697265625 / 20
    assert table.annotations["spike_mode"] == "master"
    assert table.annotations["linked_channel"] == 17
    assert table.annotations["level"] == -40
    rows = np.array([1, 4, 8])
    by_rows = module.read_rows(rec.reading, table, rows, list(table.columns))
    for name, column in by_rows.items():
        np.testing.assert_array_equal(column, truth.spikes[name][rows])


def test_digital_inputs_ports_and_messages(opened):
    truth = Truth(6)
    rec = opened(truth.tobytes())
    for key, expected in (("11220", truth.digital), ("11202", truth.port)):
        found = rec.read_table(key)
        np.testing.assert_array_equal(found["tick"], expected["tick"])
        np.testing.assert_array_equal(found["word"], expected["word"])
        assert found["label"].tolist() == [str(word) for word in expected["word"]]
    assert rec.read_table("11202")["label"].tolist() == ["0", "65535", "256", "3"]
    found = rec.read_table("11999")
    assert found["tick"].tolist() == [tick for tick, _ in truth.messages]
    assert found["label"].tolist() == [text.hex() for _, text in truth.messages]
    assert found["message_size"].tolist() == [20, 0, 2]
    assert rec.table("11999").name == "Stream Channel"
    assert rec.table("11202").annotations["board"] == 1
    assert rec.table("11202").annotations["previous_value"] == 3


def test_long_messages_are_cut(opened):
    stream = Channel(7, "Messages", "stream")
    rec = opened(
        LAST, stream.mpx(), message_block(5, bytes(128)), message_block(6, b"a" * 129), END
    )
    assert rec.read_table("7")["label"].tolist() == ["00" * 128, "61" * 128 + "..."]
    assert rec.read_table("7")["message_size"].tolist() == [128, 129]


def test_facts(opened):
    truth = Truth(7)
    rec = opened(truth.tobytes(), name="caseF0001.mpx")
    (info,) = rec.segments
    assert info.t_start == 10.0 == truth.tick / 44000
    assert info.t_stop == (truth.tick + 120) / 44000
    assert info.name == "case"
    assert info.rec_datetime == datetime(2021, 5, 4, 13, 14, 15, 160_000)
    assert rec.blocks[0].rec_datetime == info.rec_datetime
    facts = {
        "application": "ALab SNR",
        "program_version": 180,
        "map_version": 4,
        "resource_version": "0.1.8.0",
        "erase_count": 7,
        "files": ["caseF0001.mpx"],
    }
    assert rec.blocks[0].annotations == facts
    assert info.annotations == facts
    assert rec.info.software == "ALab SNR"


@pytest.mark.parametrize(
    ("names", "streams"),
    [
        (["RAW 01", "RAW 02"], {"RAW": 2}),
        (["Macro LFP 01", "Macro LFP 02", "LFP 01"], {"Macro LFP": 2, "LFP": 1}),
        (["left STN", "right STN", "RAW 1"], {"Analog": 2, "RAW": 1}),
        (["RAW 01 / STN", "RAW tip"], {"RAW": 2}),
        (["", ""], {"Analog": 2}),
        (["ÄÖ 1", "AI 3", "UD 4", "ACC_X"], {"ÄÖ": 1, "AI": 1, "UD": 1, "ACC": 1}),
        (["ANALOG-IN 1", "ANALOG-IN 12", "tetrode_3"], {"ANALOG-IN": 2, "tetrode": 1}),
    ],
)
def test_no_name_is_lost(opened, names, streams):
    channels = [Channel(100 + at, name, samples=10) for at, name in enumerate(names)]
    data = [analog_blocks(each.number, counts(3), np.arange(3) * 10) for each in channels]
    rec = opened(LAST, *(each.mpx() for each in channels), in_rounds(*data), END)
    assert {stream.name: len(stream.channels) for stream in rec.signals} == streams
    found = sorted(name for stream in rec.signals for name in stream.channels.names)
    assert found == sorted(name or f"channel {100 + at}" for at, name in enumerate(names))


def test_rates_and_times_separate_signals(opened):
    channels = [
        Channel(1, "RAW 01", samples=10),
        Channel(2, "RAW 02", samples=10),
        Channel(3, "RAW 03", khz=22.0, samples=10),
    ]
    data = [
        analog_blocks(1, counts(4), np.arange(4) * 10),
        analog_blocks(2, counts(4, seed=2), np.array([0, 10, 50, 60])),
        analog_blocks(3, counts(4, seed=3), np.arange(4) * 10),
    ]
    rec = opened(LAST, *(each.mpx() for each in channels), in_rounds(*data), END)
    found = {stream.id: (stream.channels.names, runs(stream)) for stream in rec.signals}
    assert found == {
        "RAW (44000 Hz):1": (("RAW 01",), [(0, 40, 0)]),
        "RAW (44000 Hz):2": (("RAW 02",), [(0, 20, 0), (50, 20, 0)]),
        "RAW (22000 Hz)": (("RAW 03",), [(0, 40, 0)]),
    }
    np.testing.assert_array_equal(rec.read_signal(1)[:, 0], counts(4, seed=2).ravel())


# Time


def test_lost_blocks_are_a_gap(opened):
    truth = Truth(8, drops=[2, 3])
    rec = opened(truth.tobytes())
    raw = rec.signal("RAW")
    assert runs(raw) == [(truth.tick, 40, 0), (truth.tick + 80, 40, 0)]
    np.testing.assert_array_equal(rec.read_signal(raw), truth.kept())
    assert runs(rec.signal("LFP")) == [(truth.lfp_tick, 30, 0)]
    assert not rec.problems


def test_blocks_are_placed_by_their_number(opened):
    data = counts(5)
    stamps = np.array([0, 20, 10, 40, 30])
    rec = opened(LAST, ONE.mpx(), analog_blocks(ONE.number, data, stamps).tobytes(), END)
    assert runs(rec.signals[0]) == [(0, 50, 0)]
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], data[[0, 2, 1, 4, 3]].ravel())
    assert not rec.problems


def test_the_later_of_overlapping_blocks_counts(opened):
    data = counts(6)
    stamps = np.array([0, 5, 20, 18, 40, 20])
    expected = np.zeros(50, "i2")
    there = np.zeros(50, bool)
    for row, stamp in zip(data, stamps, strict=True):
        expected[stamp : stamp + 10], there[stamp : stamp + 10] = row, True
    rec = opened(LAST, ONE.mpx(), analog_blocks(ONE.number, data, stamps).tobytes(), END)
    assert runs(rec.signals[0]) == [(0, 15, 0), (18, 12, 0), (40, 10, 0)]
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], expected[there])
    (problem,) = rec.problems
    assert "overlap" in problem.reason
    assert problem.lost == 60 - there.sum()


def test_random_overlaps(opened):
    rng = np.random.default_rng(9)
    for _ in range(20):
        data = counts(40, seed=int(rng.integers(1000)))
        stamps = rng.integers(0, 300, 40)
        expected = np.full(320, np.iinfo("i2").min, "i2")
        for row, stamp in zip(data, stamps, strict=True):
            expected[stamp : stamp + 10] = row
        rec = opened(LAST, ONE.mpx(), analog_blocks(ONE.number, data, stamps).tobytes(), END)
        found = np.full(320, np.iinfo("i2").min, "i2")
        values = rec.read_signal(0)[:, 0]
        for run in rec.signals[0].runs:
            found[run["tick"] : run["tick"] + run["count"]] = values[run["first"] :][: run["count"]]
        np.testing.assert_array_equal(found, expected)


def test_sample_numbers_wrap(opened):
    truth = Truth(10, tick=2**32 - 50)
    rec = opened(truth.tobytes())
    assert runs(rec.signal("RAW")) == [(2**32 - 50, 120, 0)]
    np.testing.assert_array_equal(rec.read_signal("RAW"), truth.raw)
    np.testing.assert_array_equal(rec.read_table("10129")["tick"], truth.spikes["tick"])
    np.testing.assert_array_equal(rec.read_table("11202")["tick"], truth.port["tick"])
    assert not rec.problems


def test_a_file_may_begin_after_the_wrap(opened):
    truth = Truth(11, tick=2**33 + 77)
    rec = opened(truth.tobytes())
    assert runs(rec.signal("RAW")) == [(2**33 + 77, 120, 0)]
    assert runs(rec.signal("LFP")) == [(truth.lfp_tick, 30, 0)]
    assert rec.segments[0].t_start == (2**33 + 77) / 44000


def test_times_of_the_head_that_were_never_written(opened):
    truth = Truth(12)
    rec = opened(truth.tobytes(first=0.0, last=0.0))
    assert rec.segments[0].t_start == pytest.approx(10.0, abs=1 / 11000)
    assert runs(rec.signal("RAW")) == [(truth.tick, 120, 0)]
    assert not rec.problems


@pytest.mark.parametrize("times", [(np.nan, 1.0), (5.0, 4.0), (-1.0, 2.0), (0.0, np.inf)])
def test_times_of_the_head_that_cannot_be(opened, times):
    rec = opened(Truth(12).tobytes(first=times[0], last=times[1]))
    assert rec.segments[0].t_start == pytest.approx(10.0, abs=1 / 11000)
    assert "cannot be true" in reasons(rec)[0]


def test_head_that_begins_after_the_data(opened):
    rec = opened(Truth(12).tobytes(first=10.5, last=11.0))
    assert rec.segments[0].t_start == pytest.approx(10.0, abs=1 / 11000)
    assert rec.segments[0].t_stop == 11.0
    assert "they begin at 10" in reasons(rec)[0]


def test_date_that_cannot_be(opened):
    rec = opened(Truth(12).tobytes(date=(2021, 13, 4)))
    assert rec.segments[0].rec_datetime is None
    assert "date" in reasons(rec)[0]


# Several files


def chain(number, **options):
    """Truths of the files of one recording."""
    truths = [Truth(20, **options)]
    for _ in range(number - 1):
        truths.append(after(truths[-1]))
    return truths


@pytest.mark.parametrize("number", [2, 3, 5])
def test_files_of_one_recording_are_joined(folder, number):
    truths = chain(number)
    files = {f"recF{at + 1:04d}.mpx": truth.tobytes() for at, truth in enumerate(truths)}
    rec = folder(files)
    assert len(rec.segments) == 1
    assert rec.segments[0].annotations["files"] == sorted(files)
    assert rec.segments[0].name == "rec"
    assert runs(rec.signal("RAW")) == [(truths[0].tick, 120 * number, 0)]
    whole = np.concatenate([truth.raw for truth in truths])
    np.testing.assert_array_equal(rec.read_signal("RAW"), whole)
    np.testing.assert_array_equal(rec.read_signal("RAW", 100, 200, 1), whole[100:200, 1:])
    found = everything(rec, "10129")
    for name in ("tick", "unit", "waveform"):
        expected = np.concatenate([truth.spikes[name] for truth in truths])
        np.testing.assert_array_equal(found[name], expected)
    words = np.concatenate([truth.digital["word"] for truth in truths])
    np.testing.assert_array_equal(rec.read_table("11220")["word"], words)
    labels = [text.hex() for truth in truths for _, text in truth.messages]
    assert rec.read_table("11999")["label"].tolist() == labels
    assert not rec.problems


def test_one_file_is_read_alone(folder, tmp_path):
    first, second = chain(2)
    folder({"recF0001.mpx": first.tobytes(), "recF0002.mpx": second.tobytes()})
    with open_recording(tmp_path / "day" / "recF0002.mpx") as rec:
        assert runs(rec.signal("RAW")) == [(second.tick, 120, 0)]
        np.testing.assert_array_equal(rec.read_signal("RAW"), second.raw)


def test_recordings_of_several_files_are_not_mixed(folder):
    one, two = chain(3), chain(3, tick=5_000_000)
    names = [f"a{at}.mpx" for at in range(3)] + [f"b{at}.mpx" for at in range(3)]
    rec = folder(dict(zip(names, [truth.tobytes() for truth in one + two], strict=True)))
    files = [segment.annotations["files"] for segment in rec.segments]
    assert files == [names[:3], names[3:]]
    raw = rec.signal("RAW")
    assert runs(raw) == [(one[0].tick, 360, 0), (5_000_000, 360, 1)]
    whole = np.concatenate([truth.raw for truth in one + two])
    np.testing.assert_array_equal(rec.read_signal(raw), whole)
    spikes = rec.table("10129")
    assert spikes.runs[["count", "segment"]].tolist() == [(27, 0), (27, 1)]
    assert spikes.runs["tick"].tolist() == [one[0].tick, 5_000_000]


def test_interleaved_names_do_not_matter(folder):
    one, two = chain(2), chain(2, tick=one_tick() + 700)
    files = {"xF0001.mpx": one[0], "yF0001.mpx": two[0], "xF0002.mpx": one[1], "yF0002.mpx": two[1]}
    rec = folder({name: truth.tobytes() for name, truth in files.items()})
    assert [segment.annotations["files"] for segment in rec.segments] == [
        ["xF0001.mpx", "xF0002.mpx"],
        ["yF0001.mpx", "yF0002.mpx"],
    ]


def one_tick():
    return Truth(20).tick


def test_two_recordings_that_begin_alike_are_told_by_their_names(folder):
    one, two = chain(2), chain(2)
    files = {"xF0001.mpx": one[0], "yF0001.mpx": two[0], "xF0002.mpx": one[1], "yF0002.mpx": two[1]}
    rec = folder({name: truth.tobytes() for name, truth in files.items()})
    assert [segment.annotations["files"] for segment in rec.segments] == [
        ["xF0001.mpx", "xF0002.mpx"],
        ["yF0001.mpx", "yF0002.mpx"],
    ]


@pytest.mark.parametrize(
    ("options", "joined"),
    [
        ({}, True),
        ({"tick": 440_000 + 120 + 1}, False),  # two samples apart
        ({"tick": 440_000 + 119}, True),  # 0 samples apart: they overlap by one
        ({"tick": 440_000 + 118}, False),
    ],
)
def test_which_file_continues_which(folder, options, joined):
    first = Truth(21)
    second = after(first, **options)
    rec = folder({"1.mpx": first.tobytes(), "2.mpx": second.tobytes()})
    assert len(rec.segments) == (1 if joined else 2)


def test_another_day_is_another_recording(folder):
    first, second = chain(2)
    rec = folder({"1.mpx": first.tobytes(), "2.mpx": second.tobytes(date=(2021, 5, 5))})
    assert [segment.t_start for segment in rec.segments] == [first.times[0], second.times[0]]


def test_segments_are_in_the_order_of_time(folder):
    early, late = Truth(22), Truth(23, tick=9_000_000)
    rec = folder({"a.mpx": late.tobytes(), "b.mpx": early.tobytes()})
    assert [segment.annotations["files"] for segment in rec.segments] == [["b.mpx"], ["a.mpx"]]
    np.testing.assert_array_equal(rec.read_signal("RAW"), np.concatenate([early.raw, late.raw]))


def test_channels_that_were_defined_anew(folder):
    early = [LAST, ONE.mpx(), analog_blocks(ONE.number, counts(2), np.arange(2) * 10).tobytes()]
    other = Channel(ONE.number, "RAW 01", samples=10, gain100=4000)
    late = [head(50.0, 51.0), other.mpx()]
    late.append(
        analog_blocks(ONE.number, counts(3, seed=1), 2_200_000 + np.arange(3) * 10).tobytes()
    )
    rec = folder({"1.mpx": b"".join([*early, END]), "2.mpx": b"".join([*late, END])})
    found = {stream.id: (runs(stream), stream.channels.gain.tolist()) for stream in rec.signals}
    assert found == {
        "RAW:10384": ([(0, 20, 0)], [RESOLUTION / 20]),
        "RAW:10384.2": ([(2_200_000, 30, 1)], [RESOLUTION / 40]),
    }


def test_folder_without_files(tmp_path):
    with pytest.raises(FormatError, match=r"no \.mpx"):
        open_recording(tmp_path, format="alphaomega")


def test_hidden_files_are_not_looked_at(folder):
    truth = Truth(26)
    rec = folder({"._a.mpx": b"left by another system", "a.mpx": truth.tobytes()})
    np.testing.assert_array_equal(rec.read_signal("RAW"), truth.raw)


def test_folder_is_recognised(tmp_path):
    write_folder(tmp_path)
    with ephyrus.open(tmp_path) as rec:
        assert rec.format.name == "alphaomega"
        assert {stream.id: stream.runs["segment"].tolist() for stream in rec.signals} == {
            "LFP:10001": [0],
            "RAW": [0],
            "LFP:10101": [1],
            "SPK": [1],
        }


# Lists


def test_list_of_files(folder, tmp_path):
    first, second = chain(2)
    third = Truth(24, tick=7_000_000)
    folder({"r1.mpx": first.tobytes(), "r2.mpx": second.tobytes(), "other.mpx": third.tobytes()})
    lines = "D:\\Data\\Tag 1\\R1.MPX\r\n\r\nD:\\Data\\Tag 1\\r2.mpx\r\nE:\\gone.mpx\r\n"
    (tmp_path / "day" / "day.lsx").write_bytes(lines.encode())
    with ephyrus.open(tmp_path / "day" / "day.lsx") as rec:
        assert rec.format.name == "alphaomega"
        assert rec.segments[0].annotations["files"] == ["r1.mpx", "r2.mpx"]
        assert len(rec.segments) == 1
        assert reasons(rec) == ["the file 'gone.mpx' of the list is not there"]
    with open_recording(tmp_path / "day", format="alphaomega", lsx_files="day.lsx") as rec:
        assert len(rec.segments) == 1
    with open_recording(tmp_path / "day", format="alphaomega", lsx_files=["C:\\x\\Day.lsx"]) as rec:
        assert len(rec.segments) == 1
    with open_recording(tmp_path / "day", format="alphaomega") as rec:
        assert len(rec.segments) == 2
    with pytest.raises(FormatError, match=r"'no\.lsx' is not there"):
        open_recording(tmp_path / "day", format="alphaomega", lsx_files=["no.lsx"])


def test_list_of_missing_files(tmp_path):
    (tmp_path / "day.lsx").write_text("C:\\a.mpx\nC:\\b.mpx\n", "utf-8")
    with pytest.raises(FormatError, match="none of the files"):
        open_recording(tmp_path / "day.lsx")


def test_lists_of_other_programs(folder, tmp_path):
    """UTF-16, the list itself among the names, and a name that leads out of the folder."""
    truth = Truth(24)
    folder({"r1.mpx": truth.tobytes()})
    path = tmp_path / "day" / "day.lsx"
    path.write_bytes("D:\\..\\r1.mpx\r\nD:\\day.lsx\r\n..\r\n".encode("utf-16"))
    with ephyrus.open(path) as rec:
        np.testing.assert_array_equal(rec.read_signal("RAW"), truth.raw)
        assert reasons(rec) == ["the file '..' of the list is not there"]


def test_map_does_not_continue_mpx(folder, tmp_path):
    truth, signal = Truth(24, tick=440_000), counts(2)
    tick = (truth.tick + 120) // 2  # at 22 kHz
    old = map_file(signal, counts(1), tick=tick)
    date = {"date": (2021, 5, 4)}
    folder({"a.mpx": truth.tobytes(**date), "b.map": old})
    (tmp_path / "day" / "l.lsx").write_text("a.mpx\nb.map\n", "utf-8")
    with open_recording(tmp_path / "day" / "l.lsx") as rec:
        assert [segment.annotations["files"] for segment in rec.segments] == [["a.mpx"], ["b.map"]]
        np.testing.assert_array_equal(rec.read_signal("Analog")[:, 0], signal.ravel())


# Options


def test_channels_without_data(opened):
    truth = Truth(13)
    data = truth.head() + b"".join(channel.mpx() for channel in truth.channels)
    data += analog_blocks(10384, truth.raw[:20, 0].reshape(1, 20), [truth.tick]).tobytes() + END
    rec = opened(data)
    assert [stream.channels.names for stream in rec.signals] == [("RAW 01",)]
    assert rec.tables == ()
    rec = opened(data, prune_channels=False)
    found = {stream.id: (stream.channels.names, stream.length) for stream in rec.signals}
    assert found == {
        "LFP": (("LFP 01",), 0),
        "RAW": (("RAW 01",), 20),
        "RAW:10385": (("RAW 02", "RAW 03"), 0),
    }
    assert {table.id: table.length for table in rec.tables} == dict.fromkeys(
        ["10129", "11202", "11220", "11999"], 0
    )
    (seg,) = rec.tree()[0].segments
    assert sorted((signal.name, signal.shape) for signal in seg.analogsignals) == [
        ("LFP", (0, 1)),
        ("RAW", (0, 2)),
        ("RAW", (20, 1)),
    ]
    assert [len(train) for train in seg.spiketrains] == [0]
    assert [len(event) for event in seg.events] == [0, 0, 0]


# Spikes


def test_spikes_are_put_in_order(opened):
    seg = Channel(9, "SEG 01", "spikes", samples=8)
    waves, ticks = counts(5, 8), np.array([50, 10, 30, 10, 20])
    units = np.array([4, 0, 4, 1, 0])
    rec = opened(LAST, seg.mpx(), analog_blocks(9, waves, ticks, units).tobytes(), END)
    order = [1, 3, 4, 2, 0]
    found = everything(rec, "9")
    assert found["tick"].tolist() == [10, 10, 20, 30, 50]
    assert found["unit"].tolist() == units[order].tolist()
    np.testing.assert_array_equal(found["waveform"][:, 0], waves[order])
    assert [unit.label for unit in rec.table("9").units] == ["9#0", "9#1", "9#4"]


def test_waveforms_of_other_lengths(opened):
    seg = Channel(9, "SEG 01", "spikes", samples=8)
    usual, short, long = counts(3, 8), counts(1, 5, seed=1), counts(1, 11, seed=2)
    data = [
        analog_blocks(9, usual, np.arange(3)),
        analog_blocks(9, short, [3]),
        analog_blocks(9, long, [4]),
    ]
    rec = opened(LAST, seg.mpx(), *(rows.tobytes() for rows in data), END)
    waves = everything(rec, "9")["waveform"][:, 0]
    np.testing.assert_array_equal(waves[:3], usual)
    np.testing.assert_array_equal(waves[3], np.append(short[0], [0, 0, 0]))
    np.testing.assert_array_equal(waves[4], long[0, :8])
    np.testing.assert_array_equal(everything(rec, "9", 3, 5)["waveform"][:, 0], waves[3:])
    assert "differ in length" in reasons(rec)[0]


@pytest.mark.parametrize("pre", [-1.0, np.nan, np.inf])
def test_pre_trigger_that_cannot_be(opened, pre):
    seg = Channel(9, "SEG 01", "spikes", samples=8, pre=pre)
    rec = opened(LAST, seg.mpx(), analog_blocks(9, counts(1, 8), [3]).tobytes(), END)
    assert rec.table("9").waveforms.left_sweep == 0


def test_pre_trigger_that_is_no_whole_sample(opened):
    seg = Channel(9, "SEG 01", "spikes", samples=8, pre=0.3)
    rec = opened(LAST, seg.mpx(), analog_blocks(9, counts(1, 8), [3]).tobytes(), END)
    assert float(rec.table("9").waveforms.left_sweep) == pytest.approx(0.3e-3, rel=1e-7)


# AlphaMap


@pytest.mark.parametrize(("mode", "trigger"), [(0, 1), (128, 1), (192, 2)])
def test_map(opened, mode, trigger):
    signal, spikes = counts(4, 12), counts(3, 8, seed=1)
    rec = opened(map_file(signal, spikes, mode=mode, trigger=trigger), name="old.map")
    (stream,) = rec.signals
    assert stream.channels.names == ("Wire",)
    assert stream.channels.units == ("",)
    assert stream.channels.gain.tolist() == [1.0]
    assert stream.rate == 22000
    assert runs(stream) == [(100, 48, 0)]
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], signal.ravel())
    found = everything(rec, "4")
    assert found["tick"].tolist() == [100, 107, 114]
    np.testing.assert_array_equal(found["waveform"][:, 0], spikes)
    table = rec.table("4")
    assert (table.name, table.waveforms.unit, table.waveforms.gain) == ("Level", "", 1.0)
    assert table.annotations.get("trigger_number") == (77 if trigger == 2 else None)
    assert table.annotations.get("level") == (-40 if trigger == 1 else None)
    found = rec.read_table("5")
    assert found["tick"].tolist() == [102, 130]
    assert found["label"].tolist() == ["1", "0"]
    assert rec.blocks[0].annotations == {"program_version": 180, "files": ["old.map"]}
    assert not rec.problems


def test_map_blocks_of_several_channels_are_refused(opened):
    data = map_file(counts(2), counts(2), blocks=block("7", bytes(20)))
    with pytest.raises(UnsupportedVersionError, match="type 7") as caught:
        opened(data, name="old.map")
    assert data[caught.value.offset + 2 :][:1] == b"7"


def test_map_is_recognised(tmp_path):
    path = tmp_path / "old.map"
    path.write_bytes(map_file(counts(2), counts(2)))
    with ephyrus.open(path) as rec:
        assert rec.format.name == "alphaomega"
    with ephyrus.open(tmp_path) as rec:
        assert rec.segments[0].annotations["files"] == ["old.map"]


# Bad input


def test_other_files(opened, tmp_path):
    with pytest.raises(WrongFormatError, match="does not begin with the head"):
        opened(block("2", bytes(56)), b"x" * 100)
    with pytest.raises(WrongFormatError):
        opened(head(length=20), bytes(100))
    with pytest.raises(CorruptError, match="a head of 70 bytes"):
        opened(block("h", bytes(66)), bytes(100))
    with pytest.raises(TruncatedError):
        opened(b"\x3c")
    files = FileSet("x.mpx", memory={"x.mpx": b""})
    assert module.sniff(files, head()[:59]) == 0.0
    assert module.sniff(files, head()) == 1.0
    assert module.sniff(files, b"d:\\a.mpx\n") == 0.5
    assert module.sniff(files, b"d:\\a.txt\n") == 0.0


def test_map_version_that_is_not_known(opened):
    with pytest.raises(UnsupportedVersionError, match="map version 5; 4 is read") as caught:
        opened(Truth(1).tobytes(version=5))
    assert caught.value.offset == 40


@pytest.mark.parametrize("length", [0, 3])
def test_block_lengths_that_cannot_be(opened, length):
    data = counts(4)
    rows = analog_blocks(ONE.number, data, np.arange(4) * 10).tobytes()
    bad = np.array([length], "<u2").tobytes() + b"5\0abc"
    parts = LAST, ONE.mpx(), rows, bad, rows, END
    with pytest.raises(CorruptError, match="shorter than 4 bytes") as caught:
        opened(*parts)
    assert caught.value.offset == sum(map(len, parts[:3]))
    rec = opened(*parts, salvage=True)
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], data.ravel())
    assert "shorter than 4 bytes" in reasons(rec)[0]


def test_file_that_is_filled_with_zeros(opened):
    rows = analog_blocks(ONE.number, counts(4), np.arange(4) * 10).tobytes()
    rec = opened(LAST, ONE.mpx(), rows, bytes(1000))
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], counts(4).ravel())
    assert "are zero" in reasons(rec)[0]


def test_cut_file(opened):
    rows = analog_blocks(ONE.number, counts(4), np.arange(4) * 10).tobytes()
    rec = opened(LAST, ONE.mpx(), rows[:-1])
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], counts(4)[:3].ravel())
    assert "ends inside a block" in reasons(rec)[0]


def test_missing_end_mark(opened):
    rows = analog_blocks(ONE.number, counts(4), np.arange(4) * 10).tobytes()
    rec = opened(LAST, ONE.mpx(), rows)
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], counts(4).ravel())
    assert reasons(rec) == ["the end mark is missing: the recording program did not close the file"]


def test_last_round_that_is_not_complete(opened):
    two = Channel(10385, "RAW 02", samples=10)
    first, second = counts(5), counts(4, seed=1)
    tables = [analog_blocks(1 + 10383, first, np.arange(5) * 10)]
    tables.append(analog_blocks(10385, second, np.arange(4) * 10))
    rec = opened(LAST, ONE.mpx(), two.mpx(), in_rounds(*tables))
    (stream,) = rec.signals
    assert runs(stream) == [(0, 40, 0)]
    expected = np.stack([first[:4].ravel(), second.ravel()], axis=1)
    np.testing.assert_array_equal(rec.read_signal(0), expected)
    assert rec.problems[-1].lost == 10
    assert "left out of RAW 01" in rec.problems[-1].reason


def test_channels_that_stopped_early_are_not_cut(opened):
    two = Channel(10385, "RAW 02", samples=10)
    tables = [analog_blocks(10384, counts(9), np.arange(9) * 10)]
    tables.append(analog_blocks(10385, counts(4, seed=1), np.arange(4) * 10))
    rec = opened(LAST, ONE.mpx(), two.mpx(), in_rounds(*tables))
    assert {stream.channels.names: stream.length for stream in rec.signals} == {
        ("RAW 01",): 90,
        ("RAW 02",): 40,
    }


def test_file_that_lost_its_end_before_the_next(folder):
    first, second = chain(2)
    cut = first.head() + first.definitions() + first.rounds_of_blocks()[:-220]
    files = {"1.mpx": cut, "2.mpx": second.tobytes()}
    with pytest.raises(TruncatedError, match=r"'2\.mpx' continues it") as caught:
        folder(files)
    assert caught.value.offset == len(cut)
    rec = folder(files, salvage=True)
    raw = rec.signal("RAW")
    begin, gone = int(raw.runs["count"][0]), 120 - int(raw.runs["count"][0])
    assert gone > 0
    assert runs(raw) == [(first.tick, begin, 0), (second.tick, 120, 0)]
    expected = np.concatenate([first.raw[:begin], second.raw])
    np.testing.assert_array_equal(rec.read_signal(raw), expected)


def test_channel_that_is_cut_off_before_the_next_file(folder):
    """The first file ends before the first block of RAW 02, which the second one has."""
    first, second = chain(2)
    start = first.head() + first.definitions()
    one_block = first.rounds_of_blocks()[: 10 + 2 * first.width]
    files = {"1.mpx": start + one_block, "2.mpx": second.tobytes()}
    with pytest.raises(TruncatedError):
        folder(files)
    rec = folder(files, salvage=True)
    assert runs(rec.signal("RAW")) == [(second.tick, 120, 0)]
    np.testing.assert_array_equal(rec.read_signal("RAW"), second.raw)


def test_unclosed_file_of_a_chain_that_lost_nothing(folder):
    first, second = chain(2)
    rec = folder({"1.mpx": first.tobytes()[: -len(END)], "2.mpx": second.tobytes()})
    assert runs(rec.signal("RAW")) == [(first.tick, 240, 0)]
    assert len(rec.problems) == 1


def test_broken_file_in_a_folder(folder):
    truth = Truth(25)
    files = {"1.mpx": b"nothing of ours", "2.mpx": truth.tobytes()}
    with pytest.raises(FormatError):
        folder(files)
    rec = folder(files, salvage=True)
    np.testing.assert_array_equal(rec.read_signal("RAW"), truth.raw)
    assert len(rec.segments) == 1
    (path,) = [problem.path for problem in rec.problems]
    assert path.endswith("1.mpx")


def test_only_broken_files(folder):
    with pytest.raises(FormatError, match="no sound"):
        folder({"1.mpx": b"nothing"}, salvage=True)


def test_data_of_undefined_channels(opened):
    strange = analog_blocks(77, counts(3), np.arange(3) * 10)
    more = analog_blocks(78, counts(3), np.arange(3) * 10)
    mine = analog_blocks(ONE.number, counts(3), np.arange(3) * 10)
    rec = opened(LAST, ONE.mpx(), in_rounds(strange, more, mine), END)
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], counts(3).ravel())
    (problem,) = rec.problems
    assert problem.reason.endswith("77, 78")
    assert problem.lost == 6


def test_outputs_are_left_out_silently(opened):
    output = bytearray(ONE.mpx())
    output[10:12], output[12:14] = bytes(2), b"\x4d\0"  # not an input; number 77
    mine = analog_blocks(ONE.number, counts(3), np.arange(3) * 10)
    rec = opened(
        LAST,
        ONE.mpx(),
        bytes(output),
        in_rounds(analog_blocks(77, counts(3), [0, 1, 2]), mine),
        END,
    )
    assert [stream.channels.names for stream in rec.signals] == [("RAW 01",)]
    assert not rec.problems


def test_half_samples(opened):
    odd = bytearray(analog_blocks(ONE.number, counts(1), [10]).tobytes())
    odd[0] += 1
    odd[-4:-4] = b"\x7f"
    plain = analog_blocks(ONE.number, counts(1), [0]).tobytes()
    rec = opened(LAST, ONE.mpx(), plain, bytes(odd), END)
    assert runs(rec.signals[0]) == [(0, 20, 0)]
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], np.tile(counts(1)[0], 2))
    assert "half a sample" in reasons(rec)[0]


def test_blocks_that_are_too_short(opened):
    ttl = Channel(5, "TTL", "digital")
    plain = value_blocks(5, np.array([1, 0]), np.array([3, 4])).tobytes()
    rec = opened(LAST, ttl.mpx(), plain, block("5", b"\5\0abcd"), block("5", b"\5"), END)
    assert rec.read_table("5")["tick"].tolist() == [3, 4]
    assert reasons(rec) == ["blocks of channel 5 are too short and left out"]


def test_last_block_without_anything(opened):
    rows = analog_blocks(ONE.number, counts(2), np.array([0, 10])).tobytes()
    rec = opened(LAST, ONE.mpx(), rows, block("5", b""))
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], counts(2).ravel())
    assert "end mark" in reasons(rec)[0]


def test_channel_without_a_single_sample(opened):
    empty = analog_blocks(ONE.number, counts(2, 0), np.array([10, 99])).tobytes()
    rec = opened(LAST, ONE.mpx(), empty, END)
    assert [stream.length for stream in rec.signals] == [0]
    assert rec.read_signal(0).shape == (0, 1)


def test_blocks_without_samples(opened):
    rows = analog_blocks(ONE.number, counts(2), np.array([0, 10])).tobytes()
    empty = analog_blocks(ONE.number, counts(2, 0), np.array([10, 99])).tobytes()
    rec = opened(LAST, ONE.mpx(), empty, rows, END)
    assert runs(rec.signals[0]) == [(0, 20, 0)]


def test_channel_that_is_defined_twice(opened):
    again = Channel(ONE.number, "RAW 01", samples=10, gain100=100)
    rows = analog_blocks(ONE.number, counts(2), np.array([0, 10])).tobytes()
    rec = opened(LAST, ONE.mpx(), ONE.mpx(), rows, again.mpx(), rows, END)
    assert rec.signals[0].channels.gain.tolist() == [RESOLUTION / 20]
    assert "are defined again" in reasons(rec)[0]
    assert "overlap" in reasons(rec)[1]
    assert len(rec.problems) == 2


def test_definitions_behind_data(opened):
    rows = analog_blocks(ONE.number, counts(2), np.array([0, 10])).tobytes()
    rec = opened(LAST, rows, ONE.mpx(), END)
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], counts(2).ravel())


def test_definition_that_is_too_short(opened):
    parts = LAST, block("2", bytes(10)), ONE.mpx(), block("S", b"abc"), END
    with pytest.raises(CorruptError, match="too short"):
        opened(*parts)
    rec = opened(*parts, salvage=True, prune_channels=False)
    assert rec.signals[0].channels.names == ("RAW 01",)
    assert len(rec.problems) == 2


@pytest.mark.parametrize("kind", ["signal", "spikes", "digital", "port", "stream"])
@pytest.mark.parametrize("is_map", [False, True])
def test_definitions_that_are_cut(opened, kind, is_map):
    channel = Channel(1, "N", kind, tail=b"")
    whole = channel.map() if is_map else channel.mpx()
    first = head(0.0, 1.0, length=36) if is_map else LAST
    rec = opened(first, whole, END, prune_channels=False)
    assert [each.name for each in (*rec.signals, *rec.tables)] == (
        ["Analog"] if kind == "signal" else ["N"]
    )
    for length in range(4, len(whole) - 1):
        with pytest.raises(CorruptError, match="too short"):
            opened(first, block(chr(whole[2]), whole[4:length]), END)


@pytest.mark.parametrize("khz", [0.0, -1.0, np.nan, np.inf, 1e-30, 1e30])
def test_rates_that_cannot_be(opened, khz):
    bad = Channel(78, "RAW 02", khz=khz)
    rows = analog_blocks(ONE.number, counts(2), np.array([0, 10])).tobytes()
    rec = opened(LAST, ONE.mpx(), bad.mpx(), rows, END, prune_channels=False)  # nobody needs it
    assert [stream.channels.names for stream in rec.signals] == [("RAW 01",)]
    assert not rec.problems
    parts = LAST, ONE.mpx(), bad.mpx(), rows, analog_blocks(78, counts(2), [0, 10]).tobytes(), END
    with pytest.raises(CorruptError, match="sampling rate") as caught:
        opened(*parts)
    assert caught.value.offset == len(LAST) + len(ONE.mpx())
    rec = opened(*parts, salvage=True)
    assert [stream.channels.names for stream in rec.signals] == [("RAW 01",)]
    assert rec.problems[0].lost == 2


@pytest.mark.parametrize(
    ("amplitude", "gain100", "scale"),
    [
        (38.14697265625, 2000, 1.9073486328125),
        (5.0, 2000, 1.9073486328125),
        (5.5, 100, 5.5),
        (np.nan, 100, RESOLUTION),
        (np.inf, 100, RESOLUTION),
        (10.0, 0, 10.0),
        (10.0, -100, 10.0),
    ],
)
def test_scales(opened, amplitude, gain100, scale):
    channel = Channel(1, "RAW 01", amplitude=amplitude, gain100=gain100)
    rec = opened(LAST, channel.mpx(), analog_blocks(1, counts(1), [0]).tobytes(), END)
    assert rec.signals[0].channels.gain.tolist() == [scale]


def test_messages_of_no_stream(opened):
    rec = opened(LAST, ONE.mpx(), message_block(3, b"abc"), END)
    assert rec.tables == ()
    assert "no stream is defined" in reasons(rec)[0]


def test_nothing_but_a_head(opened):
    rec = opened(head(3.0, 4.0), END)
    assert rec.signals == rec.tables == ()
    assert (rec.segments[0].t_start, rec.segments[0].t_stop) == (3.0, 4.0)


# Large files


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "large.mpx"
    return big(path, packets=20_000, channels=4, samples=100, spikes=20_000, spike_samples=16)


def test_large_file(large):
    with open_recording(large) as rec:
        (raw,) = rec.signals
        assert runs(raw) == [(0, 500_000, 0)]
        ticks = np.arange(500_000)[:, np.newaxis]
        np.testing.assert_array_equal(
            rec.read_signal(raw), (ticks * 7 + np.arange(4) * 13) % 2001 - 1000
        )
        for at, table in enumerate(rec.tables):
            numbers = np.arange(at, 20_000, 8)
            found = everything(rec, table)
            np.testing.assert_array_equal(found["tick"], numbers * 3)
            np.testing.assert_array_equal(found["unit"], numbers // 8 % 4)
            waves = (numbers[:, np.newaxis] + np.arange(16)) % 512
            np.testing.assert_array_equal(found["waveform"][:, 0], waves)
            assert table.unit_counts[:, 0].tolist() == [625] * 4


def test_header_is_cheap_and_the_index_small(large):
    counter = Counter()
    files = WatchedFileSet(large, watch=counter, access="pread")
    options = module.FORMAT.option_values({})
    header = module.parse_header(Opening(files, options))
    assert counter.nbytes < 4096
    files.close()
    index = module.index(Opening(FileSet(large), options), header)
    signals = [samples for group in index.signals for samples in group.channels]
    held = sum(samples.offsets.nbytes + samples.firsts.nbytes for samples in signals)
    held += sum(
        table.file.nbytes + table.offsets.nbytes + table.ticks.nbytes + table.units.nbytes
        for table in index.tables
    )
    assert held <= 24 * 40_000


def test_nothing_is_lost_where_walks_meet(large):
    with open_recording(large) as mapped, open_recording(large, access="pread") as read:
        np.testing.assert_array_equal(
            mapped.read_signal(0, 1000, 60_000), read.read_signal(0, 1000, 60_000)
        )
        np.testing.assert_array_equal(
            everything(mapped, 3)["waveform"], everything(read, 3)["waveform"]
        )


def test_index_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EPHYRUS_CACHE", str(tmp_path / "cache"))
    path = big(tmp_path / "a.mpx", packets=80_000, channels=4, samples=100, spikes=9, closed=False)
    os.utime(path, (1e9, 1e9))
    found = []
    for _ in range(2):
        with open_recording(path) as rec:
            tables = [everything(rec, at) for at in range(len(rec.tables))]
            found.append((rec.read_signal(0), tables, rec.problems))
    assert any((tmp_path / "cache").iterdir())
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_equal(found[0][1], found[1][1])
    assert found[0][2] == found[1][2]
    assert "end mark" in found[1][2][0].reason
    data = bytearray(path.read_bytes())
    data[-4:] = np.array([77], "<u4").tobytes()  # the stamp of the last spike
    path.write_bytes(data)
    os.utime(path, (1e9 + 5, 1e9 + 5))
    with open_recording(path) as rec:
        assert rec.read_table("10128")["tick"].tolist() == [0, 77]


# Objects


def test_objects(tmp_path):
    truth = Truth(14, drops=[2])
    path = tmp_path / "a.mpx"
    path.write_bytes(truth.tobytes())
    reader = ephyrus.io.AlphaOmegaIO(path)
    block_ = reader.read_block(load_waveforms=True, create_group_across_segment=True)
    (segment,) = block_.segments
    assert block_.annotations["application"] == "ALab SNR"
    assert segment.rec_datetime == datetime(2021, 5, 4, 13, 14, 15, 160_000)
    signals = {(signal.name, float(signal.t_start)): signal for signal in segment.analogsignals}
    pieces = truth.raw.reshape(6, 20, 2) * [RESOLUTION / 20, RESOLUTION / 5]
    first = signals["RAW", truth.tick / 44000]
    second = signals["RAW", (truth.tick + 60) / 44000]
    np.testing.assert_allclose(first.magnitude, pieces[:2].reshape(-1, 2), rtol=1e-6)
    np.testing.assert_allclose(second.magnitude, pieces[3:].reshape(-1, 2), rtol=1e-6)
    assert first.dimensionality.string == "uV"
    assert first.array_annotations["bit_resolution"].tolist() == [RESOLUTION, 4.0]
    trains = {train.annotations["id"]: train for train in segment.spiketrains}
    assert set(trains) == {f"10129#{unit}" for unit in truth.spikes["unit"]}
    for label, train in trains.items():
        mine = truth.spikes["unit"] == int(label[-1])
        assert train.magnitude.tolist() == (truth.spikes["tick"][mine] / 44000).tolist()
        waves = truth.spikes["waveform"][mine] * RESOLUTION / 20
        np.testing.assert_allclose(train.waveforms.magnitude, waves, rtol=1e-6)
        assert train.waveforms.dimensionality.string == "uV"
        assert float(train.sampling_rate.rescale("Hz").magnitude) == 44000
        assert float(train.left_sweep.rescale("s").magnitude) == 11 / 44000
        assert train.name == f"SEG 01#{label[-1]}"
        assert train.annotations["channel_number"] == 10129
    names = {group.annotations["unit_id"] for group in block_.groups if group.spiketrains}
    assert names == set(trains)
    events = {event.name: event for event in segment.events}
    assert set(events) == {"TTL 1", "PORT 1", "Stream Channel"}
    port = events["PORT 1"]
    assert port.magnitude.tolist() == (truth.port["tick"] / 44000).tolist()
    assert port.labels.tolist() == ["0", "65535", "256", "3"]
    assert port.array_annotations["word"].tolist() == [0, 65535, 256, 3]
    reader.close()


def test_opening_as_neo_does(folder, tmp_path):
    truths = chain(2)
    folder({f"rF{at:04d}.mpx": truth.tobytes() for at, truth in enumerate(truths)})
    for reader in (
        ephyrus.io.AlphaOmegaIO(tmp_path / "day"),
        ephyrus.io.AlphaOmegaIO(dirname=tmp_path / "day", lsx_files=None, prune_channels=True),
        ephyrus.io.AlphaOmegaIO(str(tmp_path / "day"), None, True),
    ):
        segment = reader.read_segment()
        assert sorted(signal.shape for signal in segment.analogsignals) == [(60, 1), (240, 2)]
        reader.close()


# Real recordings

REAL = ["LT1D-0.882F0001.mpx", "LT1D-2.604F0001.mpx", "LT1D1.217F0001.mpx"]
NEOS = (20 / RESOLUTION) ** -2  # neo multiplies by gain / bit resolution, its inverse


@pytest.mark.real
@pytest.mark.parametrize("name", REAL)
def test_golden(name):
    expected = golden(f"alphaomega/{name}")["segments"]
    with open_recording(data_path("alphaomega") / name) as rec:
        assert len(rec.segments) == len(expected) == 1
        (segment,) = expected
        assert rec.segments[0].t_start == segment["t_start"]
        # neo stops with the time of the last sample; here it is that of the end of the slowest
        assert 0 < rec.segments[0].t_stop - segment["t_stop"] < 2 / 1375
        places = {
            channel: (stream, at)
            for stream in rec.signals
            for at, channel in enumerate(stream.channels.ids)
        }
        for channel in segment["channels"]:
            stream, at = places[channel["id"]]
            assert stream.channels.names[at] == channel["name"]
            assert stream.channels.units[at] == channel["units"]
            assert float(stream.rate) == channel["sampling_rate"]
            assert float(stream.t_start()) == pytest.approx(
                channel["t_start"], abs=1 / float(stream.rate)
            )
            if channel["sampling_rate"] == 44000:
                assert float(stream.t_start()) == channel["t_start"]
            values = rec.read_scaled(stream, channels=[at], dtype=F8)[:, 0]
            assert_channel(values, channel, scale=NEOS)
        check_spikes(rec, segment["spiketrains"])
        events = [table for table in rec.tables if table.kind == "events"]
        assert [table.name for table in events] == ["Stream Channel"]  # which neo does not read
        assert segment["events"] == segment["epochs"] == []
        assert rec.problems == ()


def check_spikes(rec, trains):
    tables = {table.id: table for table in rec.tables if table.kind == "spikes"}
    assert set(tables) == {train["id"] for train in trains}
    for train in trains:
        table, expected = tables[train["id"]], train["waveforms"]
        found = everything(rec, table)
        assert table.name == train["name"]
        assert_points(seconds(found["tick"], table.clock), train)
        waves = found["waveform"] * table.waveforms.gain
        assert list(waves.shape) == expected["shape"]
        assert waves.sum() == pytest.approx(expected["sum"] * NEOS, rel=1e-6)
        assert waves.min() == pytest.approx(expected["min"] * NEOS, rel=1e-6)
        assert waves.max() == pytest.approx(expected["max"] * NEOS, rel=1e-6)
        assert table.waveforms.unit == expected["units"]
        assert float(table.waveforms.rate) == expected["sampling_rate"]
        assert table.waveforms.left_sweep * table.waveforms.rate == expected["left_sweep"]
        assert [unit.id for unit in table.units] == [0]


@pytest.mark.real
@pytest.mark.parametrize("name", REAL[1:])
def test_the_stamp_of_a_spike_is_its_trigger(name):
    """Waveforms are pieces of the SPK channel that begin the pre-trigger time before the stamp."""
    with open_recording(data_path("alphaomega") / name) as rec:
        signal, table = rec.signal("SPK"), rec.table("10129")
        samples = rec.read_signal(signal)[:, 0]
        found = everything(rec, table)
        sweep = table.waveforms.left_sweep * table.waveforms.rate
        begins = found["tick"] - int(sweep) - signal.runs["tick"][0]
        there = samples[begins[:, np.newaxis] + np.arange(found["waveform"].shape[2])]
        np.testing.assert_array_equal(found["waveform"][:, 0], there)


@pytest.mark.real
def test_scale_of_real_channels():
    """1.907 uV per count, and a noise that electrodes have."""
    with open_recording(data_path("alphaomega") / REAL[2]) as rec:
        values = rec.read_scaled("SPK", dtype=F8)
        assert rec.signal("SPK").channels.gain.tolist() == [RESOLUTION / 20]
        assert 9 < values.std() < 12
        assert rec.signal("ANALOG-IN").channels.extra["gain"].tolist() == [0.25] * 8


@pytest.mark.real
def test_folder_of_real_files():
    with ephyrus.open(data_path("alphaomega")) as rec:
        assert [segment.annotations["files"] for segment in rec.segments] == [
            [REAL[2]], [REAL[0]], [REAL[1]]
        ]  # fmt: skip
        raw = rec.signal("RAW")
        assert raw.runs["count"].tolist() == [131585, 20977, 30353]
        assert raw.runs["segment"].tolist() == [0, 1, 2]
        names = {stream.name for stream in rec.signals}
        assert names >= {"RAW", "SPK", "LFP", "Macro RAW", "Macro LFP", "ANALOG-IN"}


@pytest.mark.real
def test_messages_of_real_files():
    with open_recording(data_path("alphaomega") / REAL[2]) as rec:
        found = rec.read_table("11999")
        assert len(found["tick"]) == 8335
        assert found["label"][0].startswith(("0800530104", "07004d", "0700530"))
        assert (np.diff(found["tick"]) >= 0).all()
        first, last = found["tick"][[0, -1]] / 44000
        assert rec.segments[0].t_start <= first < last <= rec.segments[0].t_stop
