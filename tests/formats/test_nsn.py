"""Neuroshare native files: values of every variant, quirks, damaged files."""

from __future__ import annotations

import struct
from datetime import datetime

import numpy as np
import pytest

from ephyrus import io
from ephyrus.errors import CorruptError, FormatError, TruncatedError, WrongFormatError
from ephyrus.registry import open_recording
from tests.synth import nsn
from tests.synth.nsn import Analog, Events, File, Information, Neural, Place, Segments, Unknown


@pytest.fixture
def opened(tmp_path):
    def opening(file: File, **options):
        return open_recording(file.write(tmp_path / "x.nsn"), format="nsn", **options)

    return opening


def reasons(recording):
    return [problem.reason for problem in recording.problems]


def times_of(recording, table):
    stream = recording.table(table)
    ticks = recording.read_table(stream, columns=["tick"])["tick"]
    return ticks / float(stream.clock)


# Values


def test_signals(opened):
    """Channels of equal rate and runs are one signal; their common pauses divide the recording."""
    recording = opened(nsn.everything())
    gaps, fast = recording.signals
    assert (gaps.name, fast.name) == ("Analog (1 kHz)", "fast")
    assert gaps.channels.names == ("gaps", "gaps too")
    assert gaps.channels.ids == ("5", "6")
    assert gaps.channels.units == ("uV", "mV")
    assert gaps.runs["count"].tolist() == [100, 50, 1]
    assert gaps.runs["segment"].tolist() == [0, 1, 2]
    assert [float(gaps.t_start(run)) for run in range(3)] == [0.0, 2.5, 10.0]
    whole = np.concatenate([samples for _, samples in nsn.GAPS])
    np.testing.assert_array_equal(recording.read_scaled(gaps), np.column_stack([whole, 2 * whole]))
    np.testing.assert_array_equal(recording.read_scaled(gaps, 95, 151, [1])[:, 0], 2 * whole[95:])
    np.testing.assert_array_equal(recording.read_scaled(fast)[:, 0], nsn.wave(0, 3000))
    assert float(fast.rate) == 30000
    place = Place()
    extra = {name: column[0].item() for name, column in gaps.channels.extra.items()}
    assert extra == {
        "min_value": -100.0,
        "max_value": 1000.0,
        "resolution": 0.5,
        "location_x": place.location[0],
        "location_y": place.location[1],
        "location_z": place.location[2],
        "location_user": place.location[3],
        "high_freq_corner": 5000.0,
        "high_freq_order": 4,
        "high_filter_type": "Butterworth",
        "low_freq_corner": 1.0,
        "low_freq_order": 2,
        "low_filter_type": "sixteen letters!",
        "probe_info": "probe é",
    }


def test_events_of_every_type(opened):
    recording = opened(nsn.everything())
    words = recording.read_table("words")
    assert words["label"].tolist() == ["start", "Reiz ü", "", "stop"]
    assert times_of(recording, "words").tolist() == [0.25, 0.5, 0.75, 12.0]
    assert recording.table("words").runs["segment"].tolist() == [0, 2]
    table = recording.table("table")
    assert recording.read_table(table)["label"].tolist() == ["0,100", "1,101"]
    assert table.annotations == {"event_type": 1, "field_names": "x,y"}
    for name, values, kind in (
        ("bytes", [250, 251, 0], "u1"),
        ("word pairs", [65533, 65534, 65535], "u2"),
        ("long words", [2**32 - 2, 2**32 - 1], "u4"),
    ):
        found = recording.read_table(name)
        assert found["number"].tolist() == values
        assert found["number"].dtype == kind
        assert found["label"].tolist() == [str(value) for value in values]
    assert recording.read_table("word pairs")["number_2"].tolist() == [0, 7, 14]
    assert recording.read_table("nothing")["number"].tolist() == []


def test_epochs(opened):
    recording = opened(nsn.everything())
    found = recording.read_table("epochs")
    assert recording.table("epochs").kind == "epochs"
    assert found["label"].tolist() == ["a, b", "c"]
    assert found["duration"].tolist() == [0.25, 1.5]
    assert found["tick"].tolist() == [0.5, 2.5]


def test_segments_of_unequal_length(opened):
    recording = opened(nsn.everything())
    made = nsn.everything().entities[7]
    stream = recording.table("tetrode")
    found = recording.read_table(stream, columns=["tick", "unit", "waveform"])
    expected = np.full((6, 3, 20), np.nan)
    for item, shape in zip(expected, made.waveforms, strict=True):
        item[:, : shape.shape[1]] = shape
    np.testing.assert_array_equal(found["waveform"], expected)
    assert found["unit"].tolist() == [0, 1, 2, 4, 2, 0]
    assert [unit.id for unit in stream.units] == [0, 1, 2, 4]
    assert [unit.name for unit in stream.units][:2] == ["tetrode#0", "tetrode#1"]
    assert stream.annotations["resolution"] == [0.001, 0.002, 0.003]
    assert (float(stream.waveforms.rate), stream.waveforms.unit) == (30000.0, "mV")
    np.testing.assert_array_equal(times_of(recording, "tetrode"), made.times)


@pytest.mark.parametrize("samples", [1, 2, 32])
def test_segments_of_equal_length(opened, samples):
    """Those of one sample are samples at times of their own."""
    recording = opened(nsn.spikes(samples=samples))
    made, one_row = nsn.spikes(samples=samples).entities
    column = "value" if samples == 1 else "waveform"
    for name, entity in (("one source", made), ("one row", one_row)):
        found = recording.read_table(name, columns=[column])[column]
        expected = np.array(entity.waveforms)
        np.testing.assert_array_equal(found, expected[:, :, 0] if samples == 1 else expected)
        np.testing.assert_array_equal(times_of(recording, name), entity.times)
    assert recording.table("one source").kind == ("samples" if samples == 1 else "spikes")


def test_a_source_for_every_item_is_one_source(opened):
    recording = opened(nsn.atr())
    found = recording.read_table("atr", columns=["waveform"])["waveform"]
    np.testing.assert_array_equal(found, np.array(nsn.atr().entities[0].waveforms))


@pytest.mark.parametrize("counts", [[0, 0, 3], [3, 0, 0], [0], [70_000, 2], [2, 70_000, 0, 1]])
def test_lengths_of_any_size(opened, counts):
    """Items without samples, and more samples than 16 bits count."""
    shapes = [np.arange(2.0 * n).reshape(2, n) for n in counts]
    times = [float(at) for at in range(len(counts))]
    texts = [b"x" * n for n in counts]
    recording = opened(
        File(
            [
                Segments(b"a", times, shapes, [5] * len(counts), sources=2),
                Events(b"b", times, texts),
            ]
        )
    )
    assert recording.problems == ()
    found = recording.read_table("a", columns=["waveform"])["waveform"]
    for item, shape in zip(found, shapes, strict=True):
        np.testing.assert_array_equal(item[:, : shape.shape[1]], shape)
        assert np.isnan(item[:, shape.shape[1] :]).all()
    assert recording.read_table("b")["label"].tolist() == [text.decode() for text in texts]


def test_neural(opened):
    recording = opened(nsn.everything())
    stream = recording.table("neural")
    np.testing.assert_array_equal(times_of(recording, "neural"), 0.125 * np.arange(7) ** 2)
    (unit,) = stream.units
    assert unit.annotations == {"unit_id": 2, "entity_id": 8, "source_entity_id": 7}
    assert stream.annotations == {"probe_info": "tetrode"}
    assert recording.table("no spikes").length == 0


def test_facts_of_the_file(opened):
    recording = opened(nsn.everything())
    (block,) = recording.blocks
    assert block.rec_datetime == datetime(2019, 2, 28, 23, 59, 58, 999_000)
    assert block.annotations == {
        "file_type": "test recording",
        "comment": "Messung ä",
        "information": ["<xml>größer</xml>"],
    }
    assert recording.info.software == "a program"
    assert recording.problems == ()


def test_objects(tmp_path):
    path = nsn.everything().write(tmp_path / "x.nsn")
    block = io.NsnIO(str(path)).read_block(load_waveforms=True)
    first, second, third = block.segments
    assert [len(segment.analogsignals) for segment in block.segments] == [3, 2, 2]
    gaps = [signal for signal in second.analogsignals if signal.name.endswith("(gaps)")]
    np.testing.assert_array_equal(gaps[0].magnitude[:, 0], nsn.GAPS[1][1])
    assert float(gaps[0].t_start.rescale("s")) == 2.5
    train = next(train for train in second.spiketrains if train.name == "tetrode#2")
    np.testing.assert_allclose(train.rescale("s").magnitude, [3.0, 5.5])
    assert train.waveforms.shape == (2, 3, 20)
    assert str(train.waveforms.dimensionality) == "mV"
    (words,) = [event for event in third.events if event.name == "words"]
    assert words.labels.tolist() == ["stop"]
    epoch = next(epoch for epoch in first.epochs if epoch.name == "epochs")
    assert epoch.durations.rescale("s").magnitude.tolist() == [0.25]


# Quirks


def test_old_writers(opened):
    """Blanks for NUL, months from 0, a signature with one zero more."""
    recording = opened(nsn.old())
    assert recording.signals[0].name == "ch1"
    assert recording.signals[0].channels.units == ("mV",)
    assert recording.blocks[0].rec_datetime == datetime(2004, 1, 3, 1, 2, 3, 4000)
    assert recording.info.software == "old"
    assert "comment" not in recording.blocks[0].annotations


@pytest.mark.parametrize(
    "date", [(0,) * 8, (2004, 13, 0, 1, 0, 0, 0, 0), (2004, 2, 0, 30, 0, 0, 0, 0)]
)
def test_dates_that_are_none(opened, date):
    assert opened(File(nsn.old().entities, date=date)).blocks[0].rec_datetime is None


def test_words_are_little_endian(opened):
    recording = opened(File([Events(b"w", [0.0], [b"\x01\x02"], nsn.WORD)]))
    assert recording.read_table("w")["number"].tolist() == [0x0201]


def test_segments_that_repeat_a_signal(opened):
    """They are not given again as spike trains."""
    samples = nsn.wave(0, 10)
    repeated = Segments(b"elec", [0.0], [samples[np.newaxis]], [0])
    recording = opened(File([Analog(b"elec", [(0.0, samples)]), repeated]))
    assert recording.tables == ()
    assert len(recording.signals) == 1


def test_times_that_go_back_are_put_in_order(opened):
    recording = opened(File([Events(b"e", [3.0, 1.0, 2.0], [b"c", b"a", b"b"])]))
    assert recording.read_table("e")["label"].tolist() == ["a", "b", "c"]
    assert times_of(recording, "e").tolist() == [1.0, 2.0, 3.0]


def test_items_at_the_first_sample_belong_to_it(opened):
    """Also where their time is another float of the same moment."""
    starts = [0.0, 2.00272]
    times = [0.1, float(np.nextafter(2.00272, 0)), 2.5]
    file = File(
        [
            Analog(b"a", [(start, nsn.wave(0, 10)) for start in starts]),
            Events(b"e", times, [b"x", b"y", b"z"]),
        ]
    )
    recording = opened(file)
    assert recording.table("e").runs["count"].tolist() == [1, 2]
    assert recording.segments[1].t_start == times[1]


def test_times_off_the_resolution_are_kept(opened):
    """A time that is no whole tick is given to its last digit."""
    recording = opened(File([Neural(b"n", [0.1, np.pi]), Analog(b"a", [(np.pi, nsn.wave(0, 4))])]))
    np.testing.assert_array_equal(times_of(recording, "n"), [0.1, np.pi])
    assert float(recording.signals[0].t_start()) == pytest.approx(np.pi, abs=1e-12)


# Bad input


def test_another_file(tmp_path):
    path = tmp_path / "x.nsn"
    path.write_bytes(b"NSX ver00000010" + bytes(500))
    with pytest.raises(WrongFormatError, match="it begins with b'NSX ver00000010"):
        open_recording(path, format="nsn")


def test_a_length_past_the_end(tmp_path):
    """The whole items are kept."""
    path = tmp_path / "x.nsn"
    data = File([Events(b"e", [0.0, 1.0, 2.0], [b"abc", b"def", b"ghi"])]).packed()
    path.write_bytes(data[:-2])
    recording = open_recording(path, format="nsn")
    assert recording.read_table("e")["label"].tolist() == ["abc", "def"]
    length, count = reasons(recording)
    assert "entity 0 has 225 bytes, 223 are left in the file" in length
    assert "promises 3 events, its element holds 2" in count
    assert recording.problems[1].lost == 1


def test_entities_that_are_not_there(opened, tmp_path):
    file = File(nsn.old().entities, entity_count=3)
    with pytest.raises(TruncatedError, match="3 entities are promised, the file ends after 1"):
        opened(file)
    recording = opened(file, salvage=True)
    assert len(recording.signals) == 1
    assert recording.problems[0].lost == 2


def test_an_unknown_element_is_left_out(opened):
    recording = opened(File([Unknown(99, b"abcdefgh"), Neural(b"n", [1.0])]))
    assert times_of(recording, "n").tolist() == [1.0]
    assert reasons(recording) == ["an element of unknown type 99 is left out"]


def test_counts_larger_than_the_element(tmp_path):
    path = tmp_path / "x.nsn"
    head = File([], entity_count=2).head()
    many = nsn.element(Neural(b"n", [1.0, 2.0]), count=1000)
    path.write_bytes(head + many + nsn.element(Analog(b"a", nsn.GAPS), count=10**6))
    recording = open_recording(path, format="nsn")
    assert times_of(recording, "n").tolist() == [1.0, 2.0]
    assert recording.signals[0].length == 151
    assert [problem.lost for problem in recording.problems] == [10**6 - 151, 998]


def test_counts_smaller_than_the_element(tmp_path):
    path = tmp_path / "x.nsn"
    head = File([], entity_count=1).head()
    path.write_bytes(head + nsn.element(Analog(b"a", nsn.GAPS), count=120))
    recording = open_recording(path, format="nsn")
    assert recording.signals[0].runs["count"].tolist() == [100, 20]


def test_information_that_is_none(tmp_path):
    path = tmp_path / "x.nsn"
    body = b"no gzip"
    path.write_bytes(File([], entity_count=1).head() + struct.pack("<II", 5, len(body)) + body)
    recording = open_recording(path, format="nsn")
    assert "information" not in recording.blocks[0].annotations
    assert reasons(recording)[0].startswith("an information element is left out")


def test_information_that_unpacks_to_too_much(opened):
    recording = opened(File([Information(" " * (33 * 2**20))]))
    assert reasons(recording) == ["an information element is not whole"]


@pytest.mark.parametrize("time", [np.nan, np.inf, 1e300])
def test_times_that_cannot_be(opened, time):
    file = File([Neural(b"n", [1.0, time])])
    with pytest.raises(CorruptError, match="1 times cannot be"):
        opened(file)
    recording = opened(file, salvage=True)
    assert times_of(recording, "n").tolist() == [1.0]
    with pytest.raises(FormatError, match="the times of its runs cannot be"):
        opened(File([Analog(b"a", [(time, nsn.wave(0, 3))])]))


@pytest.mark.parametrize("rate", [0.0, -1.0, np.nan, 1e300, 1e-300])
def test_rates_that_cannot_be(opened, rate):
    with pytest.raises(CorruptError, match="Hz cannot be"):
        opened(File([Analog(b"a", nsn.GAPS, rate=rate)]))
    recording = opened(File([Analog(b"a", [], rate=rate), Neural(b"n", [1.0])]))
    assert recording.signals == ()
    assert "is empty: left out" in reasons(recording)[0]


def test_a_large_file(tmp_path):
    """Only what is asked for is read."""
    path = nsn.big(tmp_path / "big.nsn", samples=2_000_000, channels=2)
    recording = open_recording(path, format="nsn", access="pread")
    assert recording.reading.files.main.bytes_read < 10_000
    found = recording.read_signal(0, 1_999_990, 2_000_000, [1])[:, 0]
    np.testing.assert_array_equal(found, nsn.wave(1_999_990 % 4096, 10))
    spikes = nsn.big_spikes(tmp_path / "spikes.nsn", 20_000)
    recording = open_recording(spikes, format="nsn")
    (table,) = recording.tables
    assert table.unit_counts.ravel().tolist() == [5000] * 4
    found = recording.read_table(table, 10_000, 10_002, columns=["tick", "waveform"])
    np.testing.assert_array_equal(found["waveform"][:, 0], [nsn.wave(0, 32)] * 2)
