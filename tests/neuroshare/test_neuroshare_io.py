"""A vendor's library as a format: recordings, objects, the command line."""

from __future__ import annotations

import gc
import subprocess
import sys
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

import ephyrus
from ephyrus import neuroshare
from ephyrus.dll.handles import OpenFile
from ephyrus.errors import CorruptError, LibraryCrashed, WrongFormatError
from ephyrus.formats.neuroshare.contents import Header, _line, walked, waveforms
from ephyrus.io import NeuroshareIO
from ephyrus.recording import FileSet, Opening
from ephyrus.testing.guards import open_descriptors
from tests.dll import building, contents
from tests.synth import nsn


@pytest.fixture
def path(tmp_path):
    return building.recording(tmp_path / "recording.mcd")


@pytest.fixture(params=[False, True], ids=["in process", "isolated"])
def options(request, vendor_library):
    return {"dllname": str(vendor_library), "isolate": request.param}


@pytest.fixture
def recording(path, options):
    with ephyrus.open(path, format="neuroshare", **options) as opened:
        yield opened


def test_signals_and_segments(recording):
    """Pauses that all signals have in common divide the recording."""
    extents = [(segment.t_start, segment.t_stop) for segment in recording.segments]
    assert extents == [(0.0, 2.25), (2.5, 6.75), (10.0, 10.001)]
    large, gaps = sorted(recording.signals, key=lambda stream: stream.name, reverse=True)
    assert gaps.name == "gaps µV"
    assert gaps.runs["count"].tolist() == [1000, 500, 1]
    assert gaps.runs["segment"].tolist() == [0, 1, 2]
    assert [float(gaps.t_start(run)) for run in range(3)] == [0.0, 2.5, 10.0]
    assert float(gaps.rate) == 1000
    assert gaps.channels.units == ("uV",)
    assert {name: column[0].item() for name, column in gaps.channels.extra.items()} == {
        "min_value": -100.0,
        "max_value": 1000.0,
        "resolution": 0.5,
        **contents.PLACE,
    }
    np.testing.assert_array_equal(
        recording.read_scaled(gaps)[:, 0], contents.analog_values(0, 1501)
    )
    np.testing.assert_array_equal(
        recording.read_scaled(gaps, 990, 1010)[:, 0], contents.analog_values(990, 1010)
    )
    assert large.length == 100


def test_facts_of_the_file(recording):
    assert recording.info.software == "ephyrus tests"
    (block,) = recording.blocks
    assert block.rec_datetime == datetime(2019, 2, 28, 23, 59, 59)
    assert block.annotations == {
        "file_type": "test recording",
        "comment": "Messung ä - no UTF-8",
        "library": "nsTestLibrary",
    }
    (problem,) = recording.problems
    assert "is of unknown type 7: left out" in problem.reason


def test_events_and_spikes(recording):
    words = recording.read_table("words")
    assert words["label"].tolist() == ["start", "Reiz ü", "", "stop"]
    pairs = recording.read_table("word pairs")
    assert pairs["label"].tolist() == ["65533", "65534", "65535"]
    assert pairs["number"].tolist() == [65533, 65534, 65535]
    assert pairs["number_2"].tolist() == [0, 7, 14]
    tetrode = recording.table("tetrode")
    found = recording.read_table(tetrode, columns=["tick", "unit", "waveform"])
    np.testing.assert_array_equal(found["waveform"], contents.segment_values(7))
    np.testing.assert_array_equal(found["unit"], contents.segment_units(7))
    np.testing.assert_array_equal(found["tick"] / float(tetrode.clock), contents.times(7))
    assert [unit.id for unit in tetrode.units] == [0, 1, 2, 4]
    assert (float(tetrode.waveforms.rate), tetrode.waveforms.unit) == (30000.0, "mV")
    neural = recording.table("neural")
    assert neural.units[0].annotations == {
        "unit_id": 2,
        "entity_id": 8,
        "source_entity_id": 7,
    }
    ticks = recording.read_table(neural, columns=["tick"])["tick"]
    np.testing.assert_array_equal(ticks / float(neural.clock), contents.times(8))


def test_objects(path, options):
    """The examples of the page run; the waveforms of one unit are those of its items."""
    reader = NeuroshareIO(str(path), dllname=options["dllname"], isolate=options["isolate"])
    block = reader.read_block(load_waveforms=True)
    assert len(block.segments) == 3
    gaps = [s for segment in block.segments for s in segment.analogsignals if s.name == "gaps µV"]
    assert [float(signal.t_start) for signal in gaps] == [0.0, 2.5, 10.0]
    assert [signal.shape for signal in gaps] == [(1000, 1), (500, 1), (1, 1)]
    trains = [t for segment in block.segments for t in segment.spiketrains if t.name == "tetrode#2"]
    times = np.concatenate([train.rescale("s").magnitude for train in trains])
    is_two = contents.segment_units(7) == 2
    np.testing.assert_allclose(times, contents.times(7)[is_two], rtol=1e-15)
    waveforms = np.concatenate([t.waveforms.magnitude for t in trains if len(t)])
    np.testing.assert_array_equal(waveforms, contents.segment_values(7)[is_two])


def test_the_recording_is_the_file(path, options, recording):
    """Seen again through the interface, the recording has the entities of the library."""
    library = neuroshare.RecordingLibrary(format="neuroshare", **options)
    with (
        neuroshare.File(path, library) as ours,
        neuroshare.File(path, options["dllname"], isolate=options["isolate"]) as theirs,
    ):
        theirs_known = [each for each in theirs.entities if each.entity_type in (1, 2, 3, 4)]
        for own, their in zip(ours.entities, theirs_known, strict=True):
            expected, given = their.metadata_raw, own.metadata_raw
            for key in ("MinDataLength", "MaxDataLength", "SourceEntityID"):
                expected.pop(key, None)
                given.pop(key, None)
            assert given == expected
            if isinstance(own, neuroshare.SegmentEntity):
                for mine, other in zip(own.get_items(), their.get_items(), strict=True):
                    np.testing.assert_array_equal(mine, other)
            elif isinstance(own, neuroshare.EventEntity):
                assert own.get_items()[1] == their.get_items()[1]
            elif isinstance(own, neuroshare.AnalogEntity):
                for mine, other in zip(own.get_data(), their.get_data(), strict=True):
                    np.testing.assert_allclose(mine, other, rtol=1e-14)
            else:
                np.testing.assert_array_equal(own.get_data(), their.get_data())


def test_closing_and_reading_again(recording):
    before = recording.read_scaled("gaps µV", 0, 5)
    recording.close()
    assert not recording.is_open
    np.testing.assert_array_equal(recording.read_scaled("gaps µV", 0, 5), before)
    assert recording.is_open


def test_files_elsewhere_are_copied(path, options, tmp_path, monkeypatch):
    """In memory or behind an address: the library gets a temporary file, which does not stay."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    files = FileSet("x.mcd", memory={"x.mcd": path.read_bytes()})
    from ephyrus.formats import neuroshare as module
    from ephyrus.recording import Recording

    recording = Recording(module, files, options)
    assert recording.read_scaled("gaps µV", 998, 1002)[:, 0].tolist() == [399, 399.5, 400, 400.5]
    assert len(list(folder.iterdir())) == 1
    recording.close()
    del recording, files
    gc.collect()
    assert list(folder.iterdir()) == []


def test_what_the_library_refuses(tmp_path, options):
    wrong = tmp_path / "wrong.mcd"
    wrong.write_text("something else")
    with pytest.raises(WrongFormatError, match="nsTestLibrary answers ns_TYPEERROR: not a test"):
        ephyrus.open(wrong, format="neuroshare", **options)
    with pytest.raises(FileNotFoundError):
        ephyrus.open(tmp_path / "not there.mcd", format="neuroshare", **options)


def test_an_error_while_reading(tmp_path, vendor_library):
    """Found at opening where the library answers it at opening."""
    path = building.recording(tmp_path / "x.mcd", "error ns_GetEventData -3")
    with pytest.raises(CorruptError, match="nsTestLibrary answers ns_FILEERROR: as ordered"):
        ephyrus.open(path, format="neuroshare", dllname=str(vendor_library), isolate=False)


def test_a_crash_is_told_as_one(tmp_path, vendor_library):
    path = building.recording(tmp_path / "x.mcd", "crash ns_GetSegmentData")
    with pytest.raises(LibraryCrashed):
        ephyrus.open(path, format="neuroshare", dllname=str(vendor_library))


def test_digital_lines():
    """Up from 1 to the next 255; what has no end or no beginning is none."""
    values = np.array([255, 1, 255, 1, 1, 255, 7, 1], np.uint8)
    line = _line(4, "digi0001 0063 0000       D1 01", np.arange(8.0), values)
    assert line.times.tolist() == [1.0, 4.0]
    assert line.columns["duration"].tolist() == [1.0, 1.0]
    assert line.columns["label"].tolist() == [line.label] * 2


def test_ten_thousand_openings(path, libraries):
    """No handle of the library (it has eight), no descriptor, no object stays."""
    library = libraries["vendor"]
    neuroshare.File(path, library).close()
    gc.collect()
    before = open_descriptors()
    for number in range(10_000):
        file = neuroshare.File(path, library)
        if number % 2:
            file.close()  # the others are closed when they go
        del file
    assert open_descriptors() == before


def test_nothing_stays_open(path, options):
    """The library has room for eight files at once."""
    ephyrus.open(path, format="neuroshare", **options).close()  # the library is loaded and kept
    gc.collect()
    before = open_descriptors()
    for _ in range(100):
        with neuroshare.File(path, options["dllname"], isolate=options["isolate"]) as file:
            assert file.entity_count == 12
    for _ in range(10):
        ephyrus.open(path, format="neuroshare", **options).close()
    assert open_descriptors() <= before


def through_protocol(path):
    """What a library tells of a file; here our own reader is the library."""
    opening = Opening(FileSet(path))
    file = OpenFile(neuroshare.RecordingLibrary(), path, opening.files.attach)
    header = Header(file, str(path), file.ask("file_info"))
    return header, walked(opening, header), opening


@pytest.mark.parametrize("sample", nsn.samples(), ids=lambda sample: sample.name)
def test_any_library(sample, tmp_path):
    """A native file read as a library reads it has the streams that its own reader gives."""
    path = sample.write(tmp_path)
    header, found, opening = through_protocol(path)
    with ephyrus.open(path) as recording:
        pairs = zip(found.signals, recording.signals, strict=True)
        for ours, theirs in pairs:
            assert (ours.rate, ours.clock, ours.length) == (
                theirs.rate,
                theirs.clock,
                theirs.length,
            )
            np.testing.assert_array_equal(ours.runs, theirs.runs)
            assert ours.channels.names == theirs.channels.names
        assert found.segments.infos([items.times for items in found.items]) == recording.segments
        tables = {table.name: table for table in recording.tables if table.length}
        for table, items, place in zip(found.tables, found.items, found.places, strict=True):
            if not table.length or table.name == "epochs":
                continue  # epochs are comma-separated values to a library
            other = tables[table.name]
            columns = recording.read_table(other, columns=list(other.columns))
            np.testing.assert_array_equal(place.ticks, columns["tick"])
            np.testing.assert_array_equal(table.unit_counts, other.unit_counts)
            for name in set(items.columns) & set(columns):
                assert place.chosen(items.columns[name]).tolist() == columns[name].tolist()
            if "waveform" in columns:
                rows = place.rows(0, table.length)
                sources = other.columns["waveform"].shape[0]
                waves = waveforms(header, items.entity, rows, sources)
                np.testing.assert_array_equal(waves, columns["waveform"])
    opening.files.close()


def test_digital_lines_are_epochs_too(tmp_path):
    label = b"digi0001 0063 0000       D1 01"
    line = nsn.Events(label, [0.5, 1.0, 2.5], [b"\x01", b"\xff", b"\x01"], nsn.BYTE)
    path = nsn.File([line]).write(tmp_path / "x.nsn")
    _, found, opening = through_protocol(path)
    events, epochs = found.tables
    assert (events.kind, epochs.kind) == ("events", "epochs")
    assert (events.id, epochs.id) == ("0", "0 up")
    assert found.items[1].times.tolist() == [0.5]
    assert found.items[1].columns["duration"].tolist() == [0.5]
    opening.files.close()


def test_signals_of_no_rate_are_left_out(tmp_path):
    class Wrong(neuroshare.RecordingLibrary):
        def analog_info(self, handle, entity):
            return replace(super().analog_info(handle, entity), sample_rate=0.0)

        def time_by_index(self, handle, entity, index):
            raise AssertionError("not asked")

    path = nsn.old().write(tmp_path / "x.nsn")
    opening = Opening(FileSet(path))
    file = OpenFile(Wrong(), path, opening.files.attach)
    header = Header(file, str(path), file.ask("file_info"))
    assert walked(opening, header).signals == ()
    (problem,) = opening.problems
    assert problem.reason == "entity 0 ('ch1') is left out: its rate is 0.0 Hz"
    opening.files.close()


def test_samples_that_do_not_come_at_the_rate(tmp_path):
    class Wrong(neuroshare.RecordingLibrary):
        def time_by_index(self, handle, entity, index):
            return super().time_by_index(handle, entity, index) * 1.5

    path = nsn.old().write(tmp_path / "x.nsn")
    opening = Opening(FileSet(path))
    file = OpenFile(Wrong(), path, opening.files.attach)
    header = Header(file, str(path), file.ask("file_info"))
    assert walked(opening, header).signals[0].length == 100
    assert "1 of 1 runs do not come at 1000 Hz" in opening.problems[0].reason
    opening.files.close()


@pytest.mark.parametrize("command", ["info", "check"])
def test_on_the_command_line(command, path, vendor_library, monkeypatch, capsys):
    from ephyrus.cli import main

    words = [command, str(path), "--format", "neuroshare", "--option", f"dllname={vendor_library}"]
    monkeypatch.setattr("sys.argv", ["ephyrus", *words])
    code = main()
    out = capsys.readouterr().out
    assert code == {"info": 0, "check": 1}[command]  # an entity of unknown type is a problem
    assert "neuroshare" in out.lower() or "recording.mcd" in out


def test_converted_on_the_command_line(path, vendor_library, tmp_path, monkeypatch, capsys):
    from ephyrus.cli import main

    target = tmp_path / "copy.nsn"
    words = ["convert", str(path), str(target), "--format", "neuroshare"]
    words += ["--option", f"dllname={vendor_library}"]
    monkeypatch.setattr("sys.argv", ["ephyrus", *words])
    assert main() == 0
    assert "nsn" in capsys.readouterr().out
    with ephyrus.open(target) as copy:
        assert {stream.name for stream in copy.signals} == {"gaps µV", "large"}


def test_files_left_open_at_the_end_of_a_program(path, vendor_library):
    """Nothing is said about them, and no process stays."""
    program = (
        "import ephyrus; from ephyrus import neuroshare\n"
        f"a = neuroshare.File({str(path)!r}, {str(vendor_library)!r}, isolate=True)\n"
        f"b = neuroshare.File({str(path)!r}, {str(vendor_library)!r}, isolate=False)\n"
        f"c = ephyrus.open({str(path)!r}, format='neuroshare', dllname={str(vendor_library)!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    said = [line for line in done.stderr.splitlines() if "is of unknown type" not in line]
    assert (done.stdout, said) == ("", [])
