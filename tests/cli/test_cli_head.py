from __future__ import annotations

import numpy as np
import pytest

from ephyrus.cli.channels import chosen_channels
from ephyrus.cli.failures import Failure
from ephyrus.registry import open_recording


def test_first_samples_in_physical_units(run, eeg):
    (entry,) = run("head", eeg.path, "-n", 4, "--json").json
    (signal,) = entry["signals"]
    assert signal["channels"] == ["Fp1", "Cz", "Temp"]
    assert signal["units"] == ["µV", "µV", "C"]
    assert signal["times"] == [0.0, 0.001, 0.002, 0.003]
    assert signal["segment_numbers"] == [0, 0, 0, 0]
    np.testing.assert_array_equal(np.array(signal["values"], np.float32), eeg.values[:4])


def test_from_a_time_on_with_chosen_channels(run, eeg):
    (entry,) = run("head", eeg.path, "-n", 2, "--start", "0.1", "-c", "Temp,0", "--json").json
    (signal,) = entry["signals"]
    assert (signal["first"], signal["channels"]) == (100, ["Temp", "Fp1"])
    assert signal["times"] == [0.1, 0.101]
    np.testing.assert_array_equal(
        np.array(signal["values"], np.float32), eeg.values[100:102, [2, 0]]
    )
    tables = {table["name"]: table for table in entry["tables"]}
    assert tables["Stimulus"]["times"] == [0.1, 0.5]
    assert tables["Stimulus"]["labels"] == ["S  1", "S  2"]
    assert tables["New Segment"]["times"] == []


def test_a_start_between_samples_takes_the_next(run, eeg):
    (entry,) = run("head", eeg.path, "-n", 1, "--start", "0.1001", "--json").json
    assert entry["signals"][0]["times"] == [0.101]


def test_a_start_after_the_end_gives_none(run, eeg):
    found = run("head", eeg.path, "--start", "5")
    assert found.code == 0
    assert "Signals: none of 2,000 samples" in found.out
    (entry,) = run("head", eeg.path, "--start", "5", "--json").json
    assert (entry["signals"][0]["times"], entry["signals"][0]["values"]) == ([], [])


def test_the_end_is_not_passed(run, eeg):
    (entry,) = run("head", eeg.path, "--start", "1.998", "--json").json
    assert entry["signals"][0]["times"] == [1.998, 1.999]


def test_a_segment_with_spikes_events_epochs(run):
    (entry,) = run("head", "made-up.fake", "--segment", 3, "-n", 2, "-c", "ch9", "--json").json
    assert [signal["name"] for signal in entry["signals"]] == ["stream 1"]
    assert entry["signals"][0]["times"] == [20.0, 20.0001]
    assert entry["signals"][0]["segment_numbers"] == [3, 3]
    tables = {table["name"]: table for table in entry["tables"]}
    assert tables["unit1"]["times"] == [20.0, 20.05]
    assert tables["unit1"]["units"] == ["#1", "#1"]
    assert tables["unit1"]["annotations"] == {"amplitudes": [0.0, -1.0]}
    assert tables["Some epochs"]["durations"] == [0.25, 0.25]
    assert tables["Some events"]["labels"] == ["trigger_a", "trigger_b"]


def test_a_segment_ends_where_it_ends(run):
    (entry,) = run("head", "made-up.fake", "--segment", 0, "--start", "9.9998", "--json").json
    assert entry["signals"][0]["times"] == [9.9998, 9.9999]
    assert [table["times"] for table in entry["tables"]] == [[]] * 5


def test_without_a_segment_the_next_one_follows(run):
    (entry,) = run("head", "made-up.fake", "-n", 3, "--start", "9.9998", "--json").json
    assert entry["signals"][0]["times"] == [9.9998, 9.9999, 15.0]
    assert entry["signals"][0]["segment_numbers"] == [0, 0, 1]


def test_no_such_segment(run):
    found = run("head", "made-up.fake", "--segment", 5)
    assert found.code == 2
    assert found.errors == [
        "error: made-up.fake: there is no segment 5 (it has 5 segments, counted from 0)"
    ]


def test_no_such_channel_suggests(run, eeg):
    found = run("head", eeg.path, "-c", "Fp2")
    assert (found.code, found.out) == (2, "")
    assert found.errors == [f"error: {eeg.path}: there is no channel 'Fp2' (did you mean Fp1?)"]
    found = run("head", eeg.path, "-c", "7")
    assert found.errors == [f"error: {eeg.path}: there is no channel '7' (there are Fp1, Cz, Temp)"]


def test_table_of_samples(run, eeg):
    lines = run("head", eeg.path, "-n", 2).out.splitlines()
    assert lines[1] == "Signals: samples 0 to 1 of 2,000"
    assert lines[2].split() == ["time", "(s)", "Fp1", "(µV)", "Cz", "(µV)", "Temp", "(C)"]
    expected = [f"{value:.6g}" for value in eeg.values[1].tolist()]
    assert lines[5].split() == ["0.001", *expected]


def test_as_many_channels_as_fit(run):
    narrow = run("head", "made-up.fake", "-n", 1, columns=60).out.splitlines()
    heads = next(line for line in narrow if "time (s)" in line)
    shown = heads.count("(uV)")
    assert 1 <= shown < 8
    title = " ".join(line.strip() for line in narrow[1 : narrow.index(heads)])
    more = f"({8 - shown} more channels: --channels chooses)"
    assert title == f"stream 0: samples 0 to 0 of 500,000 {more}"
    assert max(map(len, narrow)) <= 60


def test_ranges_names_and_positions_of_channels():
    with open_recording("made-up.fake") as recording:
        streams = recording.signals
        assert chosen_channels(streams, [], "x") == [None, None]
        assert chosen_channels(streams, ["0-2", "2"], "x") == [[0, 1, 2], [0, 1, 2]]
        assert chosen_channels(streams, ["ch9", "ch8"], "x") == [[], [1, 0]]
        assert chosen_channels(streams, ["3"], "x") == [[3], [3]]  # positions, not ids
        with pytest.raises(Failure, match="there is no channel 'ch99'"):
            chosen_channels(streams, ["ch99"], "x")


def test_only_what_is_shown_is_read(run, eeg, monkeypatch):
    from ephyrus.recording import Recording

    asked = []
    real = Recording.read_signal

    def spy(self, stream, start=0, stop=None, channels=None):
        asked.append((start, stop))
        return real(self, stream, start, stop, channels)

    monkeypatch.setattr(Recording, "read_signal", spy)
    assert run("head", eeg.path, "-n", 3, "--start", "1").code == 0
    assert asked == [(1000, 1003)]
