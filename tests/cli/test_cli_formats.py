from __future__ import annotations

from ephyrus.registry import all_formats, format_names


def test_all_formats_as_json(run):
    found = run("formats", "--json")
    assert (found.code, found.err) == (0, "")
    assert [entry["name"] for entry in found.json] == format_names()
    by_name = {entry["name"]: entry for entry in found.json}
    for declared in all_formats():
        entry = by_name[declared.name]
        assert entry["writes"] == bool(declared.writes)
        assert entry["extensions"] == list(declared.extensions)
        assert [option["name"] for option in entry["options"]] == [
            option.name for option in declared.options
        ]
    segmented = by_name["brainvision"]["options"][0]
    assert (segmented["name"], segmented["kind"], segmented["default"]) == (
        "segmented",
        "bool",
        False,
    )


def test_table_of_all_formats(run):
    rows = [line.split("   ") for line in run("formats").out.splitlines()]
    names = [row[0].strip() for row in rows]
    assert [name for name in names if name in format_names()] == format_names()


def test_page_of_one_format(run):
    text = run("formats", "BrainVisionIO").out
    lines = [line.strip() for line in text.splitlines()]
    assert lines[0] == "BrainVision"
    assert "Options of reading (--option NAME=VALUE)" in lines
    assert "Options of writing (--write-option NAME=VALUE)" in lines
    row = next(line for line in lines if line.startswith("orientation"))
    assert "(one of multiplexed, vectorized)" in row
    assert any(line.startswith("BrainVision: the exchange format") for line in lines)


def test_kinds_tell_what_to_type(run):
    text = run("formats", "rawbinarysignal").out
    rows = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert "frequency (30000 or 30kHz)" in rows["sampling_rate"]
    assert "numpy type (int16, >f4)" in rows["dtype"]
    assert "(older name: nbchannel)" in rows["nb_channel"]


def test_unknown_format(run):
    found = run("formats", "axno")
    assert (found.code, found.out) == (2, "")
    assert found.errors == ["error: there is no format 'axno' (did you mean axon?)"]
    found = run("formats", "zzz")
    assert found.errors == ["error: there is no format 'zzz' ('ephyrus formats' lists them)"]
