"""Writing spike trains as text: digits, units, empty trains, what is lost."""

from __future__ import annotations

import numpy as np
import pytest
import quantities as pq

from ephyrus.core import AnalogSignal, Block, SpikeTrain
from ephyrus.errors import NeoReadWriteError
from ephyrus.export.asciispiketrain import write
from ephyrus.formats.asciispiketrain import FORMAT
from ephyrus.recording import NullProgress
from ephyrus.registry import open_recording
from tests.synth.objects import block_of


def train_of(times, units="s", **keywords) -> SpikeTrain:
    return SpikeTrain(np.asarray(times, float), units=units, **{"t_stop": 1e4, **keywords})


@pytest.fixture
def written(tmp_path):
    def writing(block, **options):
        path = tmp_path / "out.txt"
        options = FORMAT.option_values(options, writing=True)
        report = write([block], path, options, progress=NullProgress())
        assert report.paths == (path,)
        assert [each.name for each in tmp_path.iterdir()] == ["out.txt"]
        return path, report.losses

    return writing


def test_the_text(written):
    path, losses = written(block_of(train_of([0.1, 2]), train_of([]), train_of([1 / 3])))
    assert path.read_bytes() == b"0.1\t2.0\t\n\n0.3333333333333333\t\n"
    assert losses == (
        "units, names, and where trains begin (0 s) and end (10000 s) are not in the file; to read "
        "it, say unit='s', t_start=0.0",
    )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "0.0025\t0.3\t\n"),
        ({"unit": "ms"}, "2.5\t300.0\t\n"),
        ({"units": pq.us}, "2500.0\t300000.0\t\n"),
        ({"delimiter": ","}, "0.0025,0.3,\n"),
        ({"delimiter": "space"}, "0.0025 0.3 \n"),
    ],
)
def test_options(written, options, text):
    path, _ = written(block_of(train_of([2.5, 300], "ms")), **options)
    assert path.read_text() == text


@pytest.mark.parametrize("unit", ["s", "ms"])
def test_what_is_written_is_read(written, unit):
    rng = np.random.default_rng(0)
    times = [np.sort(rng.uniform(-5, 5, size)) for size in (0, 1, 1000)]
    trains = [train_of(each, unit, t_start=-6, t_stop=6) for each in times]
    path, _ = written(block_of(*trains), unit=unit)
    t_start = -6 * getattr(pq, unit)
    rec = open_recording(path, format="asciispiketrain", unit=unit, t_start=t_start)
    found = [rec.read_table(table)["tick"] for table in rec.tables]
    assert [each.tolist() for each in found] == [each.tolist() for each in times]


def test_lazy_trains(tmp_path, written):
    source = tmp_path.parent / f"{tmp_path.name}-source.txt"
    source.write_bytes(b"0.1\t0.25\t\n\n7.0\t\n")
    block = open_recording(source, format="asciispiketrain").tree(lazy=True)[0]
    path, _ = written(block)
    assert path.read_bytes() == source.read_bytes()


def test_losses(written):
    train = train_of([1.0, 2], waveforms=np.zeros((2, 1, 5)) * pq.mV)
    block = block_of(train, train_of([1.0], t_start=-1))
    block.segments[0].analogsignals.append(AnalogSignal([1.0], units="mV", sampling_rate=1 * pq.Hz))
    _, losses = written(block)
    assert losses[:2] == (
        "1 analog signal is left out: a text of spike trains holds spike trains only",
        "the waveforms of 1 spike train are left out",
    )
    assert "say unit='s', t_start=-1.0" in losses[2]


@pytest.mark.parametrize(
    ("options", "message"), [({"unit": "mV"}, "unit='mV'"), ({"delimiter": "."}, "delimiter='.'")]
)
def test_bad_options(written, options, message):
    with pytest.raises(ValueError, match=message):
        written(block_of(train_of([1.0])), **options)


def test_one_segment_with_a_train_is_needed(written):
    with pytest.raises(NeoReadWriteError, match="the segment has none"):
        written(block_of())
    with pytest.raises(NeoReadWriteError, match="there are 0"):
        written(Block())
