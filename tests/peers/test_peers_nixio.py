"""Neo's NixIO and ours: each reads what the other wrote, every kind of object, values exact."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

import numpy as np
import pytest
import quantities as pq

import ephyrus
import ephyrus.io
from tests.peers.facts import peer, quiet

neo = peer("neo")
neo_nix = peer("neo.io.nixio")
nixio = peer("nixio")

ANNOTATIONS = {
    "text": "wörk",
    "empty": "",
    "flag": True,
    "count": 3,
    "ratio": 0.1,
    "several": [1, 2, 3],
    "floats": [0.5, 1.5],
    "texts": ["a", "b"],
    "nothing": [],
    "gain": 2.5 * pq.mV,
    "limits": [1.0, 2.0] * pq.ms,
    "when": datetime(2024, 5, 6, 7, 8, 9, 250000),
    "day": date(2024, 5, 6),
    "hour": time(7, 8, 9),
}
LISTS = (
    "analogsignals",
    "irregularlysampledsignals",
    "imagesequences",
    "spiketrains",
    "events",
    "epochs",
)
QUANTITIES = (
    "times",
    "durations",
    "t_start",
    "t_stop",
    "sampling_rate",
    "waveforms",
    "spatial_scale",
)


def tree(package: Any) -> Any:
    """Make a block with every kind of object."""
    block = package.Block(
        name="session", description="of two trials", rec_datetime=datetime(2020, 1, 2, 3, 4, 5)
    )
    block.annotate(**ANNOTATIONS)
    for number in range(2):
        segment = package.Segment(name=f"trial {number}", trial=number)
        block.segments.append(segment)
        _fill(package, segment, number)
    first = block.segments[0]
    shared = first.analogsignals[0]
    outer, inner = package.Group(name="outer", layer=4), package.Group(name="inner")
    outer.add(shared, first.spiketrains[0], first.events[0])
    inner.add(first.irregularlysampledsignals[0])
    view = package.ChannelView(shared, np.array([1]), name="right", array_annotations={"q": [0.5]})
    outer.add(view, inner)
    block.groups.append(outer)
    return block


def _fill(package: Any, segment: Any, number: int) -> None:
    rng = np.random.default_rng(number)
    arrays = {"channel_names": np.array(["a", "b"]), "depth": [1.5, 2.5] * pq.um}
    segment.analogsignals.append(
        package.AnalogSignal(
            rng.normal(size=(7, 2)),
            units="mV",
            sampling_rate=24414.0625 * pq.Hz,
            t_start=(3.0 + number) * pq.s,
            name="voltage",
            description="of the cell",
            array_annotations=arrays,
            gain=2,
        )
    )
    segment.analogsignals.append(
        package.AnalogSignal(
            rng.normal(size=(5, 1)).astype(np.float32),
            units="uV",
            sampling_rate=1 * pq.kHz,
            t_start=20 * pq.ms,
            name="fast",
        )
    )
    segment.irregularlysampledsignals.append(
        package.IrregularlySampledSignal(
            np.sort(rng.uniform(0, 100, 6)), rng.normal(size=(6, 2)), units="pA", time_units="ms"
        )
    )
    segment.imagesequences.append(
        package.ImageSequence(
            rng.normal(size=(3, 4, 5)),
            units="V",
            sampling_rate=20 * pq.Hz,
            spatial_scale=1.5 * pq.um,
            t_start=2 * pq.s,
            name="movie",
        )
    )
    times = np.sort(rng.uniform(10, 900, 4))
    segment.spiketrains.append(
        package.SpikeTrain(
            times * pq.ms,
            t_start=1 * pq.ms,
            t_stop=1000 * pq.ms,
            waveforms=rng.normal(size=(4, 2, 6)) * pq.uV,
            sampling_rate=20 * pq.kHz,
            left_sweep=0.2 * pq.ms,
            name="unit 1",
            array_annotations={"amplitude": rng.normal(size=4)},
        )
    )
    segment.spiketrains.append(package.SpikeTrain([0.5, 0.75] * pq.s, t_stop=2 * pq.s, name="u2"))
    segment.events.append(
        package.Event(
            rng.uniform(0, 1, 3) * pq.s,
            labels=np.array(["go", "stöp", "go"]),
            name="cues",
            array_annotations={"button": np.array([1, 2, 3])},
        )
    )
    segment.epochs.append(
        package.Epoch(
            [1.0, 2.0] * pq.s,
            durations=[5.0, 6.5] * pq.ms,
            labels=np.array(["rest", "work"]),
            name="states",
        )
    )


def assert_trees(found: Any, expected: Any) -> None:
    """Compare two trees, whichever package each is of."""
    assert found.name == expected.name
    assert found.description == expected.description
    assert found.rec_datetime == expected.rec_datetime
    assert_annotations(found.annotations, expected.annotations)
    for segment, other in zip(found.segments, expected.segments, strict=True):
        assert segment.name == other.name
        assert_annotations(segment.annotations, other.annotations)
        for name in LISTS:
            for one, two in zip(getattr(segment, name), getattr(other, name), strict=True):
                assert_objects(one, two)
    for group, other in zip(found.groups, expected.groups, strict=True):
        assert_groups(group, other)


def assert_objects(found: Any, expected: Any) -> None:
    assert type(found).__name__ == type(expected).__name__
    assert (found.name or "") == (expected.name or "")
    assert (found.description or "") == (expected.description or "")
    assert_quantities(pq.Quantity(found.magnitude, found.units), expected)
    assert found.dtype == expected.dtype
    for name in QUANTITIES:
        value, other = getattr(found, name, None), getattr(expected, name, None)
        if other is not None:  # neo gives a rate from an interval in s as 1/s
            assert_quantities(
                value.rescale(other.units) if name == "sampling_rate" else value, other
            )
    if hasattr(expected, "labels"):
        assert list(found.labels) == list(expected.labels)
    assert_annotations(found.annotations, expected.annotations)
    arrays, others = (
        dict(getattr(each, "array_annotations", None) or {}) for each in (found, expected)
    )
    assert arrays.keys() == others.keys()
    for key, column in others.items():
        assert_values(arrays[key], column)


def assert_groups(found: Any, expected: Any) -> None:
    assert (found.name, len(found.groups)) == (expected.name, len(expected.groups))
    assert_annotations(found.annotations, expected.annotations)
    for name in LISTS:
        names = [[obj.name or "" for obj in getattr(each, name)] for each in (found, expected)]
        assert names[0] == names[1]
    for view, other in zip(found.channelviews, expected.channelviews, strict=True):
        assert (view.name, list(view.index)) == (other.name, list(other.index))
        assert (view.obj.name, view.obj.shape) == (other.obj.name, other.obj.shape)
    for inner, other in zip(found.groups, expected.groups, strict=True):
        assert_groups(inner, other)


def assert_annotations(found: Any, expected: Any) -> None:
    drop = {"nix_name"}
    assert found.keys() - drop == expected.keys() - drop
    for key in expected.keys() - drop:
        assert_values(found[key], expected[key])


def assert_values(found: Any, expected: Any) -> None:
    if isinstance(expected, pq.Quantity):
        assert_quantities(found, expected)
    elif isinstance(expected, np.ndarray | list):
        np.testing.assert_array_equal(found, expected)
    else:
        assert found == expected


def assert_quantities(found: Any, expected: Any) -> None:
    assert found.dimensionality == expected.dimensionality
    np.testing.assert_array_equal(np.asarray(found.magnitude), np.asarray(expected.magnitude))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "session.nix"


@pytest.mark.parametrize("lazy", [False, True])
def test_what_neo_writes_is_read(path, lazy):
    block = tree(neo)
    with quiet():
        io = neo_nix.NixIO(str(path), "ow")
        io.write_block(block)
        io.close()
    with ephyrus.io.NixIO(path, "ro") as reader:
        found = reader.read_block(lazy=lazy)
        if not lazy:
            assert_trees(found, block)
        for segment, other in zip(found.segments, block.segments, strict=True):
            for name in LISTS:
                for one, two in zip(getattr(segment, name), getattr(other, name), strict=True):
                    has_waves = getattr(one, "waveforms", None) is not None
                    more = {"load_waveforms": True} if has_waves else {}
                    assert_objects(one.load(**more), two)
        trains = [each.segments[1].spiketrains[0] for each in (found, block)]
        assert_quantities(trains[0].left_sweep, trains[1].left_sweep)


def test_what_we_write_is_read_by_neo(path):
    block = tree(ephyrus)
    with ephyrus.io.NixIO(path, "ow") as writer:
        writer.write_block(block)
    with quiet():
        io = neo_nix.NixIO(str(path), "ro")
        found = io.read_block()
        io.close()
    assert_trees(found, block)


def test_what_we_write_is_valid_for_nixio(path):
    with ephyrus.io.NixIO(path, "ow") as writer:
        writer.write_block(tree(ephyrus))
    with quiet():
        file = nixio.File.open(str(path), nixio.FileMode.ReadOnly)
        errors = {entity.type: texts for entity, texts in file.validate()["errors"].items()}
        file.close()
    # A view's positions are channels, so it has no unit; nixio wants one, in neo's files too.
    assert errors.keys() <= {"neo.channelview"}


def test_neo_edits_what_we_wrote_and_we_what_neo_wrote(path):
    with ephyrus.io.NixIO(path, "ow") as writer:
        writer.write_block(tree(ephyrus))
    with quiet():
        io = neo_nix.NixIO(str(path), "rw")
        block = io.read_block()
        block.annotate(edited="by neo")
        io.write_block(block)
        io.close()
    with ephyrus.io.NixIO(path) as editor:
        (found,) = editor.read_all_blocks()
        assert found.annotations["edited"] == "by neo"
        found.annotations["edited"] = "by us"
        editor.write_block(found)
        assert len(editor.nix_file.blocks) == 1
    with quiet():
        io = neo_nix.NixIO(str(path), "ro")
        again = io.read_block()
        io.close()
    assert again.annotations["edited"] == "by us"
    expected = tree(ephyrus)
    expected.annotations["edited"] = "by us"
    assert_trees(again, expected)
