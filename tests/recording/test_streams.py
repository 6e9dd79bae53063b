"""Value classes of recordings."""

from datetime import datetime
from fractions import Fraction

import numpy as np
import pytest

from ephyrus.recording import (
    RUN_DTYPE,
    BlockInfo,
    Channels,
    Problem,
    RecordingInfo,
    SegmentInfo,
    SignalStream,
    TableStream,
    Unit,
    columns,
    run_table,
)


def signal(**more):
    facts = {
        "index": 0,
        "id": "0",
        "name": "amplifier",
        "length": 15,
        "dtype": np.dtype("<i2"),
        "rate": Fraction(1000),
        "channels": Channels.table(["a", "b"]),
        "runs": run_table([10, 5], [3, 40], [0, 0]),
        "clock": Fraction(100),
    }
    return SignalStream(**(facts | more))


def test_run_table():
    table = run_table([10, 0, 5], [0, 40, 41], [0, 0, 2])
    assert table.dtype == RUN_DTYPE
    assert table.tolist() == [(0, 10, 0, 0), (10, 0, 40, 0), (10, 5, 41, 2)]
    assert run_table([10, 5], 7).tolist() == [(0, 10, 7, 0), (10, 5, 7, 1)]
    assert run_table(4).tolist() == [(0, 4, 0, 0)]
    assert run_table([]).shape == (0,)
    assert run_table([2**40, 2**40])["first"].tolist() == [0, 2**40]
    with pytest.raises(ValueError, match="read-only"):
        table["tick"][0] = 1


def test_channels_of_single_values():
    table = Channels.table(["a", "b", "c"], units="mV", gain=0.5, offset=1)
    assert len(table) == 3
    assert table.names == ("a", "b", "c")
    assert table.ids == ("0", "1", "2")
    assert table.units == ("mV", "mV", "mV")
    assert table.gain.tolist() == [0.5, 0.5, 0.5]
    assert table.offset.tolist() == [1.0, 1.0, 1.0]
    assert (table.gain.dtype, table.offset.dtype) == (np.float64, np.float64)
    assert dict(table.extra) == {}


def test_channels_of_columns():
    gain = np.array([0.5, 2.0])
    table = Channels.table(
        ["a", "b"], ids=["7", "8"], units=["mV", ""], gain=gain, extra={"place": [[1, 2], [3, 4]]}
    )
    gain[0] = 99
    assert table.gain.tolist() == [0.5, 2.0]
    assert table.ids == ("7", "8")
    assert table.units == ("mV", "")
    assert table.extra["place"].tolist() == [[1, 2], [3, 4]]
    with pytest.raises(TypeError):
        table.extra["more"] = np.zeros(2)
    with pytest.raises(ValueError, match="broadcast"):
        Channels.table(["a", "b"], gain=[1.0, 2.0, 3.0])


def test_signal_times_are_exact():
    stream = signal(rate=Fraction(1000, 3))
    assert stream.t_start() == Fraction(3, 100)
    assert stream.t_stop() == Fraction(3, 100) + Fraction(30, 1000)
    assert stream.t_start(1) == Fraction(40, 100)
    assert stream.t_stop(-1) == Fraction(40, 100) + Fraction(15, 1000)


def test_signal_items():
    assert signal().item_shape == (2,)
    assert signal().item_bytes == 4
    images = signal(item_shape=(3, 5), dtype=np.dtype("<f4"))
    assert images.item_shape == (3, 5)
    assert images.item_bytes == 60
    large = signal(item_shape=(100_000, 100_000), dtype=np.dtype("<f8"))
    assert large.item_bytes == 8 * 10**10


def test_streams_are_frozen():
    with pytest.raises(AttributeError):
        signal().name = "other"


def test_table_stream():
    stream = TableStream(
        index=0,
        id="s",
        name="spikes",
        kind="spikes",
        length=3,
        columns=columns(
            tick="<i8", unit="<i4", waveform=("<i2", (4, 32)), amplitude="<f4", label=object
        ),
        clock=Fraction(30_000),
        runs=run_table([3]),
        units=(Unit(0, "u", "ch1#0"),),
    )
    assert stream.annotation_columns == ("amplitude",)
    assert stream.item_bytes == 8 + 4 + 256 + 4 + 8
    assert stream.is_sorted
    assert stream.unit_counts.shape == (0, 0)


def test_columns_are_read_only():
    made = columns(tick="<i8", place=("<f4", (3,)))
    assert made["tick"] == np.dtype("<i8")
    assert made["place"].shape == (3,)
    with pytest.raises(TypeError):
        made["more"] = np.dtype("<i8")


def test_units_with_equal_facts_are_equal():
    assert Unit(1, "a", "ch#1", {"quality": [1]}) == Unit(1, "a", "ch#1", {"quality": [1]})
    assert hash(Unit(1, "a", "ch#1", {"quality": [1]})) == hash(Unit(1, "a", "ch#1"))


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem("x.plx", "cut short"), "x.plx: cut short"),
        (Problem("x.plx", "cut short", 17), "x.plx: byte 17: cut short"),
        (Problem("x.plx", "no rate", None, "rate"), "x.plx: (rate): no rate"),
        (
            Problem("x.plx", "cut", 0, "packet", 1200),
            "x.plx: byte 0 (packet): cut [1,200 items lost]",
        ),
    ],
)
def test_problems_tell_the_place(problem, text):
    assert str(problem) == text


def test_recording_info_defaults():
    info = RecordingInfo(segments=(SegmentInfo(),))
    assert info.blocks == (BlockInfo(),)
    assert (info.signals, info.tables, info.stimuli) == ((), (), ())
    assert info.segments[0].block == 0
    assert BlockInfo("b", {}, datetime(2024, 5, 6)).rec_datetime.year == 2024
