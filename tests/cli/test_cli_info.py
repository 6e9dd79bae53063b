from __future__ import annotations

from ephyrus.recording.summary import summary
from ephyrus.registry import open_recording


def test_json_is_the_summary_with_files_and_size(run, eeg):
    found = run("info", eeg.path, "--json")
    assert (found.code, found.err) == (0, "")
    (entry,) = found.json
    files = [eeg.path, eeg.path.with_suffix(".eeg"), eeg.path.with_suffix(".vmrk")]
    assert entry.pop("files") == [str(path) for path in files]
    assert entry.pop("size") == sum(path.stat().st_size for path in files)
    with open_recording(eeg.path) as recording:
        assert entry == summary(recording)
    assert entry["rec_datetime"] == "2024-02-29T12:34:56"
    assert entry["signals"][0]["samples"] == 2000


def test_text_tells_the_facts(run, eeg):
    text = run("info", eeg.path).out
    rows = [line.split() for line in text.splitlines()]
    assert rows[0] == [str(eeg.path)]
    assert ["format", "BrainVision", "(brainvision)"] in rows
    assert ["files", "eeg.vhdr,", "eeg.eeg,", "eeg.vmrk"] in rows
    assert ["recorded", "2024-02-29", "12:34:56"] in rows
    assert ["duration", "2", "s"] in rows
    assert [
        "Signals",
        "3:",
        "Fp1,",
        "Cz,",
        "Temp",
        "C,",
        "µV",
        "1",
        "kHz",
        "2,000",
        "int16",
    ] in rows
    assert ["Stimulus", "events", "2", "S", "1", "(1),", "S", "2", "(1)"] in rows
    assert ["Response", "events", "1", "R", "1", "(1)"] in rows


def test_segments_and_blocks_are_listed(run):
    text = run("info", "made-up.fake").out
    rows = [line.split() for line in text.splitlines()]
    assert ["duration", "50", "s", "in", "5", "segments", "of", "2", "blocks"] in rows
    assert ["1", "2", "Seg", "#2", "Block", "#1", "60", "10", "s"] in rows
    assert ["unit2", "spikes", "100", "1", "unit:", "#2", "(100)"] in rows


def test_many_segments_are_collapsed(run, tmp_path):
    from tests.cli.test_cli_check import sweeps_atf

    path = sweeps_atf(tmp_path / "sweeps.atf", sweeps=30)
    rows = [line.split() for line in run("info", path).out.splitlines()]
    at = next(i for i, row in enumerate(rows) if row[:1] == ["6"])
    assert rows[at + 1] == ["...", "22", "more", "segments", "..."]
    assert rows[at + 2][0] == "29"
    assert len(run("info", path, "--json").json[0]["segments"]) == 30


def test_options_of_the_format_with_units(run, raw):
    (entry,) = run("info", raw.path, *raw.how, "--json").json
    (signal,) = entry["signals"]
    assert (signal["rate"], signal["samples"], signal["units"]) == (20000.0, 3000, ["mV"])
    assert [channel["gain"] for channel in signal["channels"]] == [0.25] * 4
    assert entry["duration"] == 0.15


def test_a_file_that_only_its_name_tells_says_how_to_open_it(run, raw):
    found = run("info", raw.path)
    assert (found.code, found.out, len(found.errors)) == (2, "", 1)
    assert found.err.startswith(f"error: {raw.path}: nothing in the file tells its format")
    assert "--format NAME, --option NAME=VALUE" in found.err


def test_unknown_option_lists_those_that_exist(run, raw):
    found = run("info", raw.path, "-f", "rawbinarysignal", "-O", "channels=4")
    assert found.code == 2
    assert found.err.startswith(
        f"error: {raw.path}: Interleaved raw binary has no option 'channels'; "
        "its options are: dtype"
    )
    assert found.err.endswith("('ephyrus formats rawbinarysignal' explains the options)\n")


def test_wrong_kind_of_option(run, raw):
    found = run("info", raw.path, "-f", "rawbinarysignal", "-O", "nb_channel=four")
    assert found.code == 2
    assert found.err.startswith(f"error: {raw.path}: option nb_channel='four': expected int")


def test_option_without_a_value_is_wrong_usage(run, raw):
    found = run("info", raw.path, "-f", "rawbinarysignal", "-O", "nb_channel")
    assert found.code == 2
    assert found.errors == [
        "error: invalid value for --option: 'nb_channel' is not of the form NAME=VALUE "
        "('ephyrus info --help' shows how it is used)"
    ]


def test_unknown_format_suggests(run, raw):
    found = run("info", raw.path, "-f", "rawbinary")
    assert found.code == 2
    assert found.errors == ["error: there is no format 'rawbinary' (did you mean rawbinarysignal?)"]


def test_a_damaged_file_among_good_ones(run, eeg, tmp_path):
    broken = tmp_path / "broken.abf"
    broken.write_bytes(b"ABF2" + b"\0" * 40)
    found = run("info", broken, eeg.path, "--json")
    assert found.code == 1
    assert [entry["path"] for entry in found.json] == [str(eeg.path), str(broken)]
    assert found.json[1]["error"]["type"] == "TruncatedError"
    assert len(found.errors) == 1
    assert found.err.startswith(f"error: {broken}: byte ")
    assert found.err.endswith("(--salvage reads what is sound of a damaged file)\n")


def test_problems_are_shown(run, eeg):
    text = eeg.path.read_text(encoding="utf-8")
    eeg.path.write_text(text.replace("[Binary", "DataPoints=64\n[Binary"), encoding="utf-8")
    found = run("info", eeg.path)
    assert found.code == 0
    assert "Problems\n" in found.out
    assert "eeg.vhdr: ([Common Infos] DataPoints): DataPoints=64" in found.out
    assert found.err == ""


def test_names_from_files_cannot_command_the_terminal(run, eeg):
    text = eeg.path.read_text(encoding="utf-8")
    eeg.path.write_text(text.replace("Ch2=Cz", "Ch2=\x1b[31m[red]Cz[/red]"), encoding="utf-8")
    out = run("info", eeg.path).out
    assert "\x1b" not in out
    assert "\\x1b[31m[red]Cz[/red]" in out


def test_access_and_salvage_are_passed_on(run, eeg, monkeypatch):
    import ephyrus.cli.inputs

    seen = {}
    real = ephyrus.cli.inputs.open_recording

    def spy(path, **keywords):
        seen.update(keywords)
        return real(path, **keywords)

    monkeypatch.setattr(ephyrus.cli.inputs, "open_recording", spy)
    assert run("info", eeg.path, "--access", "pread", "--salvage", "-q").code == 0
    assert (seen["access"], seen["salvage"], seen["format"]) == ("pread", True, None)


def test_tables_without_items_are_one_line():
    from rich.console import Console

    from ephyrus.cli.info import _tables

    def lines(empty):
        tables = [{"name": "spikes", "kind": "spikes", "count": 3, "units": []}]
        for number in range(empty):
            tables.insert(0, {"name": f"E{number}", "kind": "events", "count": 0, "labels": {}})
            tables[0]["label_count"] = 0
        console = Console(width=120)
        with console.capture() as captured:
            console.print(_tables(tables))
        return [line.split() for line in captured.get().splitlines()]

    few, many = lines(5), lines(12)
    assert [row[:2] for row in few if row and row[0].startswith("E")] == [
        [f"E{number}", "events"] for number in (4, 3, 2, 1, 0)
    ]
    assert not [row for row in many if row and row[0].startswith("E")]
    names = ["E11,", "E10,", "E9,", "E8,", "E7,", "E6,", "E5,", "E4,", "…"]
    assert ["12", "without", "items", "0", *names] in many
    assert ["spikes", "spikes", "3", "0", "units:"] in many
