"""Command signals and digital outputs of ABF1 and ABF2, sample by sample from the description."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from ephyrus.errors import CorruptError
from ephyrus.formats import axon as module
from ephyrus.formats.axon import stimulus
from ephyrus.registry import open_recording
from tests.synth.axon import (
    BIPHASIC,
    COSINES,
    OFF,
    RAMP,
    RECTANGLES,
    RESISTANCE,
    STEP,
    STEPS,
    TRIANGLES,
    Adc,
    Dac,
    Epoch,
    UserList,
    abf1,
    abf2,
    atf,
    counts,
)

WRITERS = pytest.mark.parametrize("write", [abf1, abf2], ids=["abf1", "abf2"])
SWEEPS, LENGTH = 3, 400  # samples of one channel
FILES = {"sweeps": SWEEPS, "samples_per_sweep": 2 * LENGTH}


@pytest.fixture
def opened(tmp_path):
    """Give a function that writes a file and opens it; every recording is closed in the end."""
    recordings = []

    def open_parts(parts, *, name="test.abf", **options):
        path = tmp_path / name
        path.write_bytes(parts if isinstance(parts, bytes) else parts.tobytes())
        recordings.append(open_recording(path, format="axon", **options))
        return recordings[-1]

    yield open_parts
    for recording in recordings:
        recording.close()


def read(recording, key, start=0, stop=None, channels=None):
    """Read a stimulus, shape (samples,) or (samples, channels)."""
    stream = next(each for each in recording.stimuli if each.id == key)
    stop = stream.length if stop is None else stop
    values = module.read_signal(recording.reading, stream, start, stop, channels)
    assert values.dtype == stream.dtype
    return values[:, 0] if len(stream.channels) == 1 else values


def shape(epoch, previous, level, duration):
    """Values of one epoch, one sample at a time."""
    values = []
    whole = duration // epoch.period if epoch.period > 0 else 0
    delta = level - previous
    for i in range(duration):
        turn, phase = divmod(i, epoch.period) if epoch.period > 0 else (0, 0)
        inside = turn < whole
        width = min(max(epoch.width, 0), max(epoch.period, 0))
        value = previous
        if epoch.kind == RAMP:
            value = np.linspace(previous, level, duration)[i]
        elif epoch.kind == COSINES and epoch.period > 0:
            angle = 2 * np.pi * (duration / epoch.period) * i / max(duration - 1, 1)
            value = previous + (1 - np.cos(angle)) / 2 * delta
        elif epoch.kind == RECTANGLES and inside and phase < width:
            value = level
        elif epoch.kind == TRIANGLES and inside:
            rise = np.linspace(previous, level, width)
            value = [*rise, *np.linspace(level, previous, epoch.period - width)][phase]
        elif epoch.kind == BIPHASIC and inside and phase < width:
            value = previous + delta if phase < width // 2 else previous - delta
        elif epoch.kind not in (RAMP, COSINES, RECTANGLES, TRIANGLES, BIPHASIC):
            value = level
        values.append(value)
    return values


def expected_command(dac, *, sweeps=SWEEPS, length=LENGTH):
    """Command of all sweeps by the rules of the description."""
    commands = []
    last = dac.holding
    for sweep in range(sweeps):
        previous = last if dac.inter_sweep and sweep else dac.holding
        values = [previous] * (length // 64)
        for epoch in dac.epochs:
            if epoch.kind == OFF:
                continue
            level = float(np.float32(epoch.level)) + sweep * float(np.float32(epoch.increment))
            duration = max(epoch.duration + sweep * epoch.duration_increment, 0)
            if epoch.kind == STEP:
                duration = min(duration, length)
            values += shape(epoch, previous, level, duration)
            previous = last = level
        values += [last if dac.inter_sweep else dac.holding] * length
        commands.append(values[:length])
    return np.array(commands, np.float64).ravel()


EVERY_KIND = [
    Epoch(STEP, -80.0, 5.0, 40, 2),
    Epoch(OFF, 33.0, 0.0, 1000),
    Epoch(RAMP, 20.0, 1.0, 30, 1),
    Epoch(RECTANGLES, 10.0, 0.5, 50, 0, 12, 5),
    Epoch(TRIANGLES, -40.0, 0.0, 45, 3, 20, 8),
    Epoch(COSINES, 15.0, -1.0, 60, 0, 17),
    Epoch(RESISTANCE, 3.5, 0.25, 20),
    Epoch(BIPHASIC, 8.0, 0.0, 40, 0, 15, 7),
]


@WRITERS
@pytest.mark.parametrize("inter_sweep", [0, 1])
def test_every_kind_of_epoch(opened, write, inter_sweep):
    dac = Dac("Vcmd", "mV", 1, -70.0, inter_sweep=inter_sweep, epochs=EVERY_KIND)
    rec = opened(write(counts(SWEEPS * LENGTH), dacs=[Dac(), dac], **FILES))
    stream = rec.stimuli[1]
    assert (stream.id, stream.name) == ("dac1", "Vcmd")
    assert stream.channels.names == ("Vcmd",)
    assert stream.channels.units == ("mV",)
    assert stream.dtype == np.float64
    np.testing.assert_array_equal(stream.runs, rec.signals[0].runs)
    assert (stream.rate, stream.clock) == (rec.signals[0].rate, rec.signals[0].clock)
    expected = expected_command(dac)
    found = read(rec, "dac1")
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-12)
    for start, stop in [(0, 1), (390, 810), (57, 131), (700, 700), (1199, 1200), (123, 1077)]:
        np.testing.assert_array_equal(read(rec, "dac1", start, stop), found[start:stop])


@WRITERS
@pytest.mark.parametrize(
    "epoch",
    [
        Epoch(RAMP, 10.0, 0.0, 1),
        Epoch(RAMP, 10.0, 0.0, 2),
        Epoch(COSINES, 10.0, 0.0, 1, 0, 5),
        Epoch(COSINES, 10.0, 0.0, 30, 0, 0),
        Epoch(RECTANGLES, 10.0, 0.0, 30, 0, 0, 5),
        Epoch(RECTANGLES, 10.0, 0.0, 30, 0, 7, 70),
        Epoch(RECTANGLES, 10.0, 0.0, 30, 0, 7, -7),
        Epoch(RECTANGLES, 10.0, 0.0, 6, 0, 7, 3),
        Epoch(TRIANGLES, 10.0, 0.0, 30, 0, 5, 1),
        Epoch(TRIANGLES, 10.0, 0.0, 30, 0, 5, 5),
        Epoch(TRIANGLES, 10.0, 0.0, 30, 0, 5, 0),
        Epoch(TRIANGLES, 10.0, 0.0, 30, 0, -5, 3),
        Epoch(BIPHASIC, 10.0, 0.0, 30, 0, 6, 6),
        Epoch(STEP, 10.0, 0.0, 20, -15),
        Epoch(STEP, 10.0, 0.0, 10**9, 10**9),
        Epoch(STEP, 10.0, 0.0, -5),
    ],
)
def test_borders_of_epochs(opened, write, epoch):
    dac = Dac(holding=1.0, epochs=[epoch, Epoch(STEP, 5.0, 0.0, 10)])
    rec = opened(write(counts(SWEEPS * LENGTH), dacs=[dac], **FILES))
    np.testing.assert_allclose(read(rec, "dac0"), expected_command(dac), rtol=1e-13, atol=1e-12)


@WRITERS
def test_ramp_reaches_its_level(opened, write):
    dac = Dac(epochs=[Epoch(RAMP, 30.0, 0.0, 100)])
    found = read(opened(write(counts(LENGTH), dacs=[dac])), "dac0")
    np.testing.assert_array_equal(found[[0, 5, 6, 105, 106]], [0.0, 0.0, 0.0, 30.0, 0.0])


@WRITERS
@pytest.mark.parametrize(("enable", "source"), [(0, 1), (0, 2), (1, 0), (1, 3)])
def test_outputs_that_play_nothing_hold(opened, write, enable, source):
    dac = Dac(holding=-65.0, enable=enable, source=source, epochs=EVERY_KIND)
    rec = opened(write(counts(SWEEPS * LENGTH), dacs=[dac], **FILES))
    np.testing.assert_array_equal(read(rec, "dac0"), np.full(SWEEPS * LENGTH, -65.0))


@WRITERS
@pytest.mark.parametrize("mode", [1, 3])
def test_recordings_without_equal_sweeps_hold(opened, write, mode):
    dac = Dac(holding=-65.0, epochs=EVERY_KIND)
    rec = opened(write(counts(500), mode=mode, synch=[(0, 1000)], dacs=[dac]))
    np.testing.assert_array_equal(read(rec, "dac0"), np.full(500, -65.0))


@WRITERS
def test_sweeps_of_unequal_length(opened, write):
    dac = Dac(holding=-65.0, epochs=EVERY_KIND)
    synch = [(0, 2 * 128), (3000, 2 * 400), (6000, 2 * 20)]
    rec = opened(write(counts(548), synch=synch, dacs=[dac]))
    found = read(rec, "dac0")
    for sweep, (first, length) in enumerate([(0, 128), (128, 400), (528, 20)]):
        whole = expected_command(dac, length=length).reshape(SWEEPS, length)
        np.testing.assert_allclose(found[first : first + length], whole[sweep], atol=1e-12)


@WRITERS
def test_a_cut_sweep_has_the_command_of_the_whole(opened, write):
    dac = Dac(holding=-65.0, epochs=EVERY_KIND)
    parts = write(counts(SWEEPS * LENGTH), dacs=[dac], **FILES)
    raw = parts.before + parts.data.tobytes()[: -4 * 250]
    rec = opened(raw)
    assert rec.signals[0].runs["count"].tolist() == [400, 400, 150]
    np.testing.assert_allclose(read(rec, "dac0"), expected_command(dac)[:-250], atol=1e-12)


@WRITERS
def test_protocol_without_samples(opened, write):
    dac = Dac("Vcmd", "mV", 0, -70.0, epochs=EVERY_KIND)
    parts = write(
        np.zeros((0, 2), "<i2"),
        dacs=[dac],
        sweeps_per_run=SWEEPS,
        samples_per_sweep=2 * LENGTH,
        start_to_start=0.5,
    )
    rec = opened(parts, name="steps.pro")
    assert rec.signals == ()
    assert not rec.problems
    assert [segment.t_start for segment in rec.segments] == [0.0, 0.5, 1.0]
    assert [segment.t_stop for segment in rec.segments] == pytest.approx([0.02, 0.52, 1.02])
    np.testing.assert_allclose(read(rec, "dac0"), expected_command(dac), atol=1e-12)


@pytest.mark.parametrize(("sweeps", "length"), [(10_001, 10), (1, -1)])
def test_protocol_that_cannot_be_true(opened, sweeps, length):
    parts = abf2(np.zeros((0, 2), "<i2"), sweeps_per_run=sweeps, samples_per_sweep=length)
    with pytest.raises(CorruptError, match="sweeps per run"):
        opened(parts, name="steps.pro")


@WRITERS
def test_unknown_kinds_are_steps(opened, write):
    dac = Dac(epochs=[Epoch(STEP, 5.0, 0.0, 50), Epoch(11, 9.0, 0.0, 50)])
    rec = opened(write(counts(SWEEPS * LENGTH), dacs=[dac], **FILES))
    np.testing.assert_array_equal(read(rec, "dac0"), expected_command(dac))
    assert "types [11] are not known" in rec.problems[0].reason


def test_outputs_are_told_apart_where_numbers_repeat(opened):
    rec = opened(abf2(counts(50), mode=3, dacs=[Dac("", number=4), Dac("b", number=4, holding=2)]))
    assert [stream.id for stream in rec.stimuli] == ["dac0", "dac1"]
    assert [stream.name for stream in rec.stimuli] == ["dac0", "b"]
    np.testing.assert_array_equal(read(rec, "dac1"), np.full(50, 2.0))


def test_abf1_before_1_6_holds(opened):
    dacs = [Dac("Cmd", "mV", 0, -60.0, epochs=EVERY_KIND)]
    rec = opened(abf1(counts(50), version=1.5, dacs=dacs, digital_enable=1))
    assert [stream.id for stream in rec.stimuli] == ["dac0", "dac1", "dac2", "dac3"]
    np.testing.assert_array_equal(read(rec, "dac0"), np.full(50, -60.0))


def test_outputs_that_alternate_are_noted(opened):
    rec = opened(abf2(counts(SWEEPS * LENGTH), dacs=[STEPS], alternate=1, **FILES))
    assert "outputs alternate between sweeps" in rec.problems[0].reason


# User lists


@WRITERS
@pytest.mark.parametrize(
    ("first", "field"), [(21, "level"), (31, "duration"), (41, "period"), (51, "width")]
)
@pytest.mark.parametrize("repeat", [0, 1])
def test_user_list(opened, write, first, field, repeat):
    epochs = [Epoch(STEP, 5.0, 1.0, 20, 3), Epoch(RECTANGLES, 9.0, 2.0, 100, 3, 20, 10)]
    lists = [UserList("7, 13", first + 1, repeat=repeat)]
    rec = opened(
        write(
            counts(SWEEPS * LENGTH),
            dacs=[Dac(holding=1.0, epochs=epochs)],
            user_lists=lists,
            **FILES,
        )
    )
    found = read(rec, "dac0").reshape(SWEEPS, LENGTH)
    for sweep, value in enumerate([7, 13, 7 if repeat else 13]):
        listed = Epoch(RECTANGLES, 9.0 + 2 * sweep, 0.0, 100 + 3 * sweep, 0, 20, 10)
        setattr(listed, field, value)
        dac = Dac(holding=1.0, epochs=[Epoch(STEP, 5.0 + sweep, 0.0, 20 + 3 * sweep), listed])
        np.testing.assert_array_equal(found[sweep], expected_command(dac, sweeps=1))
    assert not rec.problems


@WRITERS
def test_user_list_of_something_else_is_noted(opened, write):
    lists = [UserList("7, 13", 8)]
    rec = opened(write(counts(SWEEPS * LENGTH), dacs=[STEPS], user_lists=lists, **FILES))
    assert "the user list varies parameter 8" in rec.problems[0].reason
    np.testing.assert_allclose(read(rec, "dac0"), expected_command(STEPS), atol=1e-12)


@WRITERS
@pytest.mark.parametrize("values", ["one, two", "", "nan"])
def test_user_list_of_no_numbers_is_noted(opened, write, values):
    lists = [UserList(values, 21)]
    rec = opened(write(counts(SWEEPS * LENGTH), dacs=[STEPS], user_lists=lists, **FILES))
    assert "are not numbers; the list is ignored" in rec.problems[0].reason


def test_abf1_user_list_that_is_off(opened):
    lists = [UserList("7, 13", 21, enable=0)]
    rec = opened(abf1(counts(SWEEPS * LENGTH), dacs=[STEPS], user_lists=lists, **FILES))
    np.testing.assert_allclose(read(rec, "dac0"), expected_command(STEPS), atol=1e-12)


# Stimulus files


def played(recording, **changes):
    dac = Dac(source=2, holding=-3.0, file_path="C:\\stimuli\\Noise.abf", **changes)
    return recording(counts(SWEEPS * LENGTH), dacs=[dac], **FILES)


@WRITERS
def test_stimulus_file_of_one_sweep(opened, write, tmp_path):
    data = counts(300, 2, seed=9)
    adcs = [Adc("a", "mV", 4, 0.01), Adc("b", "mV", 6, 0.02)]
    abf2(data, mode=3, adcs=adcs).write(tmp_path / "noise.ABF")
    file_adc = 6 if write is abf2 else 0
    rec = opened(played(write, file_scale=2.0, file_offset=1.5, file_adc=file_adc))
    column = 1 if write is abf2 else 0
    values = data[:, column] * adcs[column].gain() * 2.0 + 1.5
    expected = np.tile(np.concatenate([values, np.full(100, -3.0)]), SWEEPS)
    found = read(rec, "dac0")
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    np.testing.assert_array_equal(read(rec, "dac0", 250, 850), found[250:850])
    np.testing.assert_array_equal(read(rec, "dac0", 320, 350), np.full(30, -3.0))
    assert not rec.problems


@pytest.mark.parametrize("kind", ["abf", "atf"])
def test_stimulus_file_of_several_sweeps(opened, tmp_path, kind):
    data = counts(2 * LENGTH, 1, seed=9).reshape(2, LENGTH, 1) / 8
    if kind == "atf":
        raw = atf(data, names=["a"], units=["mV"], number="%.6f")
    else:
        flat = data.reshape(-1, 1).astype("<f4")
        raw = abf2(flat, sweeps=2, samples_per_sweep=LENGTH).tobytes()
    (tmp_path / "Noise.abf").write_bytes(raw)
    rec = opened(played(abf2))
    unknown = np.full(LENGTH, np.nan)
    np.testing.assert_array_equal(read(rec, "dac0"), [*data[0, :, 0], *data[1, :, 0], *unknown])
    rec = opened(played(abf2, file_sweep=2))
    np.testing.assert_array_equal(read(rec, "dac0"), np.tile(data[1, :, 0], SWEEPS))


@WRITERS
def test_missing_stimulus_file(opened, write):
    rec = opened(played(write))
    np.testing.assert_array_equal(read(rec, "dac0"), np.full(SWEEPS * LENGTH, np.nan))
    assert "'Noise.abf' is not beside the recording" in rec.problems[0].reason
    rec = opened(write(counts(SWEEPS * LENGTH), dacs=[Dac(source=2)], **FILES))
    assert "'' is not beside the recording" in rec.problems[0].reason


@WRITERS
def test_stimulus_file_that_cannot_be_read(opened, write, tmp_path):
    (tmp_path / "Noise.abf").write_bytes(b"rubbish")
    rec = opened(played(write))
    np.testing.assert_array_equal(read(rec, "dac0"), np.full(SWEEPS * LENGTH, np.nan))
    assert "begins with b'rubb'" in rec.problems[0].reason


@WRITERS
def test_stimulus_file_outside_of_the_folder_is_not_opened(opened, write, tmp_path):
    dac = Dac(source=2, file_path="C:\\folder\\..")
    rec = opened(write(counts(SWEEPS * LENGTH), dacs=[dac], **FILES))
    np.testing.assert_array_equal(read(rec, "dac0"), np.full(SWEEPS * LENGTH, np.nan))
    assert len(rec.problems) == 1


@WRITERS
@pytest.mark.parametrize("scale", [0.0, float("nan")])
def test_stimulus_file_with_a_scale_of_0(opened, write, tmp_path, scale):
    data = counts(LENGTH, 1).astype("<f4")
    abf2(data, mode=3).write(tmp_path / "Noise.abf")
    rec = opened(played(write, file_scale=scale))
    np.testing.assert_array_equal(read(rec, "dac0"), np.tile(data[:, 0], SWEEPS))
    assert "1 is used" in rec.problems[0].reason


# Digital outputs

DIGITAL = [
    Epoch(STEP, -80.0, 5.0, 40, 2, digital=0b101),
    Epoch(OFF, 0.0, 0.0, 50, digital=0b1000000),
    Epoch(RAMP, 20.0, 1.0, 30),
    Epoch(STEP, 10.0, 0.0, 50, 0, 12, 5, digital=0b100),
]


def expected_bits(length, values, *, holding=0, inter_sweep=False, sweeps=SWEEPS):
    """State of all outputs as one number per sample."""
    states = []
    for sweep in range(sweeps):
        outside = values[-1][0] if inter_sweep else holding
        state = [holding if sweep == 0 else outside] * (length // 64)
        for value, duration, increment in values:
            state += [value] * (duration + sweep * increment)
        states.append((state + [outside] * length)[:length])
    return np.array(states).ravel()


@WRITERS
@pytest.mark.parametrize("inter_sweep", [0, 1])
def test_digital_outputs(opened, write, inter_sweep):
    rec = opened(
        write(
            counts(SWEEPS * LENGTH),
            dacs=[Dac("other", epochs=EVERY_KIND), Dac("one", number=1, epochs=DIGITAL)],
            digital_enable=1,
            active_dac=1,
            digital_holding=0b10,
            digital_inter_sweep=inter_sweep,
            **FILES,
        )
    )
    stream = rec.stimuli[-1]
    assert (stream.id, stream.name) == ("digital", "Digital outputs")
    assert stream.channels.names == ("digital 0", "digital 1", "digital 2")
    assert stream.channels.units == ("", "", "")
    assert stream.dtype == np.uint8
    values = [(0b101, 40, 2), (0, 30, 0), (0b100, 50, 0)]
    bits = expected_bits(LENGTH, values, holding=0b10, inter_sweep=bool(inter_sweep))
    expected = bits[:, np.newaxis] >> [0, 1, 2] & 1
    np.testing.assert_array_equal(read(rec, "digital"), expected)
    part = read(rec, "digital", 350, 900, np.array([2, 0]))
    np.testing.assert_array_equal(part, expected[350:900][:, [2, 0]])


def test_digital_trains(opened):
    epochs = [Epoch(STEP, 0.0, 0.0, 50, 0, 12, 5, digital=0b1, train=0b10)]
    rec = opened(abf2(counts(LENGTH), dacs=[Dac(epochs=epochs)], digital_enable=1))
    assert rec.stimuli[-1].channels.names == ("digital 0", "digital 1")
    pulses = np.zeros((LENGTH, 2), np.uint8)
    pulses[6:56, 0] = 1
    for begin in (6, 18, 30, 42):
        pulses[begin : begin + 5, 1] = 1
    np.testing.assert_array_equal(read(rec, "digital"), pulses)
    np.testing.assert_array_equal(read(rec, "digital", 20, 45), pulses[20:45])


@WRITERS
@pytest.mark.parametrize(
    "changes",
    [{"digital_enable": 0}, {"digital_enable": 1, "active_dac": 7}],
)
def test_no_digital_outputs(opened, write, changes):
    rec = opened(write(counts(50), dacs=[Dac(epochs=DIGITAL)], **changes))
    assert "digital" not in [stream.id for stream in rec.stimuli]


@WRITERS
def test_no_digital_outputs_without_epochs_or_bits(opened, write):
    for epochs in ([], [Epoch(STEP, 1.0, 0.0, 5)]):
        rec = opened(write(counts(50), dacs=[Dac(epochs=epochs)], digital_enable=1))
        assert "digital" not in [stream.id for stream in rec.stimuli]


def test_abf2_digital_outputs_need_their_section(opened):
    parts = abf2(counts(50), dacs=[Dac(epochs=DIGITAL)], digital_enable=1)
    raw = bytearray(parts.tobytes())
    struct.pack_into("<I", raw, 76 + 16 * 3, 0)
    rec = opened(bytes(raw))
    assert [stream.id for stream in rec.stimuli] == ["dac0"]
    struct.pack_into("<I", raw, 76 + 16 * 3, 10**6)
    rec = opened(bytes(raw), salvage=True)
    assert [stream.id for stream in rec.stimuli] == ["dac0"]


def test_bits_of_negative_values_are_bits(opened):
    epochs = [Epoch(STEP, 0.0, 0.0, 50, digital=-1)]
    rec = opened(abf2(counts(LENGTH), dacs=[Dac(epochs=epochs)], digital_enable=1))
    assert len(rec.stimuli[-1].channels) == stimulus.BITS
    assert read(rec, "digital")[6:56].all()
    assert not read(rec, "digital")[56:].any()
