"""Summaries: exact dictionaries, escaped HTML, one line."""

import json
from datetime import UTC, date, datetime
from fractions import Fraction

import numpy as np
import pytest
import quantities as pq

import ephyrus.formats.example as example
from ephyrus.errors import CorruptError
from ephyrus.recording import FileSet, Recording
from ephyrus.recording.summary import content_line, html, one_line, plain, summary
from tests.synth import arrays

SIGNAL = arrays.signal(
    np.zeros((12, 2), "<i2"),
    rate=1000,
    runs=[(8, 0, 0), (4, 20, 0)],
    units=["mV", "pA"],
    names=["Vm", "Im"],
    gain=[0.5, 2.0],
    name="amplifier",
    extra={"filter": [1.5, float("nan")]},
    annotations={"gain_setting": 20},
)
SPIKES = arrays.table(
    "spikes",
    runs=[(3, 0, 0)],
    units=[(0, "unsorted", "ch#0"), (1, "one", "ch#1")],
    tick=[1, 2, 3],
    unit=[1, 0, 1],
    name="cells",
)
EVENTS = arrays.table("events", tick=[1, 2, 3], label=["go", "stop", "go"], name="marks")
SAMPLES = arrays.table(
    "samples",
    tick=[1, 2],
    value=np.zeros((2, 1)),
    channels={"names": ["pupil"], "units": ["mm"]},
    name="eye",
)
FACTS = {
    "software": "Rec 1.0",
    "rec_datetime": "2024-05-06T07:08:09.500000",
    "annotations": {"subject": "m1"},
    "segments": [{"name": "first", "annotations": {"a": [1, 2]}}],
}


def made(**more):
    return arrays.in_memory([SIGNAL], [SPIKES, EVENTS, SAMPLES], **(FACTS | more))


def test_summary_is_complete():
    found = summary(made(stimuli=[arrays.signal(np.zeros((5, 1), "<f4"), name="command")]))
    assert list(found) == [
        "path",
        "format",
        "format_label",
        "software",
        "rec_datetime",
        "duration",
        "blocks",
        "segments",
        "signals",
        "tables",
        "stimuli",
        "annotations",
        "problems",
    ]
    assert (found["path"], found["format"]) == ("made.arrays", "arrays")
    assert (found["format_label"], found["software"]) == ("Arrays for tests", "Rec 1.0")
    assert found["rec_datetime"] == "2024-05-06T07:08:09.500000"
    assert found["duration"] == 0.024
    assert found["blocks"] == [{"name": None, "annotations": {}}]
    assert found["segments"] == [
        {"name": "first", "block": 0, "t_start": 0.0, "t_stop": 0.024, "annotations": {"a": [1, 2]}}
    ]
    assert found["annotations"] == {"subject": "m1"}
    assert found["problems"] == []
    assert [(each["name"], each["samples"]) for each in found["stimuli"]] == [("command", 5)]


def test_summary_of_a_signal():
    (found,) = summary(made())["signals"]
    longest = found["gaps"].pop("longest")
    assert longest == pytest.approx(0.012, abs=1e-15)
    assert found == {
        "id": "signals0",
        "name": "amplifier",
        "rate": 1000.0,
        "samples": 12,
        "duration": 0.012,
        "dtype": "<i2",
        "shape": [2],
        "units": ["mV", "pA"],
        "runs": 2,
        "gaps": {"count": 1, "seconds": longest},
        "channels": [
            {"name": "Vm", "id": "0", "unit": "mV", "gain": 0.5, "offset": 0.0, "filter": 1.5},
            {"name": "Im", "id": "1", "unit": "pA", "gain": 2.0, "offset": 0.0, "filter": None},
        ],
        "annotations": {"group": "signals", "gain_setting": 20},
    }


def test_summary_of_tables():
    spikes, events, samples = summary(made())["tables"]
    assert spikes == {
        "id": "tables0",
        "name": "cells",
        "kind": "spikes",
        "count": 3,
        "columns": ["tick", "unit"],
        "units": [
            {"id": 0, "name": "unsorted", "label": "ch#0", "count": 1},
            {"id": 1, "name": "one", "label": "ch#1", "count": 2},
        ],
        "annotations": {},
    }
    assert events["labels"] == {"go": 2, "stop": 1}
    assert events["label_count"] == 2
    assert samples["channels"] == [
        {"name": "pupil", "id": "0", "unit": "mm", "gain": 1.0, "offset": 0.0}
    ]


def test_summary_is_json():
    recording = made(note="odd <b>")
    found = summary(recording)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["problems"] == [
        {"path": "made.arrays", "reason": "odd <b>", "offset": 3, "field": "note", "lost": 2}
    ]


def test_labels_are_read_only_where_they_are_wanted(monkeypatch):
    recording = made()

    def refused(*args):
        raise AssertionError("nothing is to be read")

    monkeypatch.setattr(arrays, "read_table", refused)
    assert "labels" not in summary(recording, labels=False)["tables"][1]
    assert one_line(recording).endswith("2 irregular samples>")


def test_many_labels_are_counted_and_the_most_frequent_listed():
    labels = [f"l{number % 30}" for number in range(45)]
    table = arrays.table("events", tick=np.arange(45), label=labels)
    (found,) = summary(arrays.in_memory(tables=[table]))["tables"]
    assert len(found["labels"]) == 20
    assert found["label_count"] == 30
    assert list(found["labels"].items())[:15] == [(f"l{number}", 2) for number in range(15)]


def test_labels_that_cannot_be_read_are_told(monkeypatch):
    def damaged(*args):
        raise CorruptError("made.arrays", "no such <label>", offset=9)

    monkeypatch.setattr(arrays, "read_table", damaged)
    recording = made()
    found = summary(recording)["tables"][1]
    assert found["labels_error"] == "made.arrays: byte 9: no such <label>"
    assert "labels" not in found
    assert "cannot be read: made.arrays: byte 9: no such &lt;label&gt;" in html(recording)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (np.bool_(True), True),
        (np.int16(5), 5),
        (np.float32(0.5), 0.5),
        (float("nan"), None),
        (float("-inf"), "-inf"),
        (np.float64("inf"), "inf"),
        (Fraction(1, 4), 0.25),
        (b"ab\xff", "ab\\xff"),
        (np.str_("x"), "x"),
        (np.bytes_(b"x"), "x"),
        (datetime(2024, 5, 6, tzinfo=UTC), "2024-05-06T00:00:00+00:00"),
        (date(2024, 5, 6), "2024-05-06"),
        (np.datetime64("2024-05-06"), "2024-05-06"),
        (np.array([[1, 2]]), [[1, 2]]),
        (np.array([1.5, np.nan]), [1.5, None]),
        (np.array(["a", "b"]), ["a", "b"]),
        (np.array([1, "a", None], object), [1, "a", None]),
        (np.zeros((20, 30), "<f4"), {"dtype": "<f4", "shape": [20, 30]}),
        (np.array([(1, 2.5)], [("a", "i4"), ("b", "f4")])[0], {"a": 1, "b": 2.5}),
        (5.5 * pq.mV, {"value": 5.5, "unit": "mV"}),
        ([1, 2] * pq.s, {"value": [1, 2], "unit": "s"}),
        ((1, {"x": (2,)}), [1, {"x": [2]}]),
        ({3: {1}}, {"3": [1]}),
        (range(500), {"items": 500}),
        (1j, "1j"),
    ],
)
def test_annotations_of_any_kind_become_json(value, expected):
    found = plain(value)
    assert found == expected
    json.dumps(found, allow_nan=False)


def test_one_line():
    assert one_line(made()) == (
        "<Recording made.arrays (arrays): 1 segment, 0.024 s; 2 channels at 1 kHz; "
        "2 units, 3 spikes; 3 events; 2 irregular samples>"
    )
    assert repr(made()) == one_line(made())
    with Recording(example, FileSet("a/x.fake", memory={"a/x.fake": b""})) as recording:
        assert one_line(recording) == (
            "<Recording x.fake (example): 2 blocks, 5 segments, 50 s; 16 channels at 10 kHz; "
            "3 units, 300 spikes; 30 events; 50 epochs>"
        )


def test_content_line_orders_rates_and_counts_images_and_problems():
    signals = [
        arrays.signal(np.zeros((500, 1), "<i2"), rate=Fraction(2500, 3)),
        arrays.signal(np.zeros((3, 4, 5), "u1"), names=["camera"], rate=10),
        arrays.signal(np.zeros((30_000_000, 1), "u1"), rate=30_000),
        arrays.signal(np.zeros((5, 2), "u1"), rate=30_000),
    ]
    assert content_line(arrays.in_memory(signals, note="x")) == (
        "1 segment, 16 min 40 s; 3 channels at 30 kHz; 1 channel at 833.333 Hz; "
        "1 image sequence; 1 problem"
    )
    assert content_line(arrays.in_memory()) == "1 segment, 0 s"
    long = arrays.in_memory(segments=[{"t_start": 0.0, "t_stop": 7384.6}])
    assert content_line(long) == "1 segment, 2 h 3 min 5 s"


def test_one_line_stays_one_line():
    name = "a\nb\x1b[31m.arrays"
    assert one_line(arrays.in_memory(name=name)).startswith(
        "<Recording a\\nb\\x1b[31m.arrays (arrays)"
    )


HOSTILE = '<script>alert("x")</script>&'


def test_html_escapes_everything_that_comes_from_files():
    signal = arrays.signal(
        np.zeros((3, 1), "<i2"), names=[HOSTILE], units=HOSTILE, name=HOSTILE, ids=[HOSTILE]
    )
    spikes = arrays.table("spikes", tick=[1], unit=[0], units=[(0, HOSTILE, HOSTILE)], name=HOSTILE)
    events = arrays.table("events", tick=[1], label=[HOSTILE], name=HOSTILE)
    recording = arrays.in_memory(
        [signal],
        [spikes, events],
        software=HOSTILE,
        annotations={HOSTILE: HOSTILE},
        segments=[{"name": HOSTILE}],
        note=HOSTILE,
        name=f"{HOSTILE.replace('/', '')}.arrays",
    )
    found = html(recording)
    assert "<script" not in found
    assert 'alert("x")' not in found
    assert found.count("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;") == 11
    assert recording._repr_html_() == found


def test_html_shows_what_there_is():
    found = html(made(note="odd header"))
    for text in (
        ">made.arrays<",
        ">Arrays for tests<",
        ">2024-05-06T07:08:09.500000<",
        ">0.024 s<",
        ">2: Vm, Im<",
        ">mV, pA<",
        ">1 kHz<",
        ">int16<",
        ">ch#0 (1), ch#1 (2)<",
        ">go (2), stop (1)<",
        ">pupil<",
        ">subject<",
        "odd header [2 items lost]",
    ):
        assert text in found
    assert found.count("<details") == found.count("</details>") == 4
    assert "Stimuli" not in found


def test_html_of_many_streams_is_cut_with_a_note():
    tables = [arrays.table("events", tick=[1], label=["x"]) for _ in range(203)]
    found = html(arrays.in_memory(tables=tables))
    assert "(203)" in found
    assert "and 3 more" in found
    images = arrays.signal(np.zeros((3, 4, 5), "u1"), names=["camera"])
    assert ">4 × 5<" in html(arrays.in_memory([images]))
