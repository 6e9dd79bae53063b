"""Sections, properties, sources, units, frames, validation, printing, upgrading."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from ephyrus import nix
from ephyrus.nix import S, exceptions, validator
from ephyrus.nix.util import units


def names_of(container):
    return [each.name for each in container]


def test_dictionary(file):
    section = file.create_section("s", "t")
    section["number"] = 3
    section["list"] = [1.5, 2.5]
    section["text"] = "x"
    section["sub"] = sub = S("kind")
    sub["inner"] = True
    sub.definition = "below"
    assert section["number"] == 3
    assert section["list"] == [1.5, 2.5]
    assert section["sub"]["inner"] is True
    assert section["sub"].definition == "below"
    assert section["sub"].type == "kind"
    assert len(section) == 3
    assert [key for key, _ in section.items()] == ["number", "list", "text", "sub"]
    assert list(section.keys()) == names_of(section)
    assert "sub" in section
    assert "none" not in section
    section["number"] = [4, 5]
    assert section["number"] == [4, 5]
    with pytest.raises(TypeError):
        section["number"] = "text"
    with pytest.raises(KeyError):
        section["none"]
    del section["text"]
    assert names_of(section.props) == ["number", "list"]
    with pytest.raises(AttributeError):
        section.name = "x"
    with pytest.raises(AttributeError, match="assigned"):
        _ = S("t").definition
    assert section.has_property_by_name("list")
    assert section.get_property_by_name("list").values == (1.5, 2.5)
    assert section.get_property_by_name("none") is None


@pytest.mark.parametrize(
    ("values", "expected", "kind"),
    [
        (3, (3,), np.int64),
        (2.5, (2.5,), np.float64),
        (True, (True,), np.bool_),
        ("ä", ("ä",), np.str_),
        ([1, 2], (1, 2), np.int64),
        (np.array([1.5, 2], "f4"), (1.5, 2.0), np.float64),
        (np.array([1, 2], "u2"), (1, 2), np.int64),
        (np.array(["a", "b"]), ("a", "b"), np.str_),
        (np.float32(0.5), (0.5,), np.float64),
        (2**63, (2**63,), np.uint64),
        ([nix.Value(1), nix.Value(2)], (1, 2), np.int64),
        (b"bytes", ("bytes",), np.str_),
        (nix.DataType.Double, (), np.float64),
        (str, (), np.str_),
        (np.dtype("i4"), (), np.int64),
    ],
)
def test_values(path, values, expected, kind):
    with nix.File(path, "w") as file:
        file.create_section("s", "t").create_property("p", values)
    with nix.File(path, "r") as file:
        prop = file.sections[0].props["p"]
        assert prop.values == expected
        assert [type(each) for each in prop.values] == [type(each) for each in expected]
        assert prop.data_type == kind


def test_property(file):
    section = file.create_section("s", "t")
    prop = section.create_property("p", [1, 2])
    assert (prop.unit, prop.uncertainty, prop.odml_type, prop.type) == (None,) * 4
    prop.unit = "µ V"
    assert prop.unit == "uV"
    prop.unit = ""
    assert prop.unit is None
    prop.uncertainty = 1
    assert prop.uncertainty == 1.0
    with pytest.raises(exceptions.InvalidAttrType):
        prop.uncertainty = "x"
    prop.odml_type = nix.OdmlType.Int
    assert prop.odml_type is nix.OdmlType.Int
    for wrong in (nix.OdmlType.Boolean, nix.OdmlType.String, "int"):
        with pytest.raises(TypeError):
            prop.odml_type = wrong
    prop.extend_values([3, 4])
    assert prop.values == (1, 2, 3, 4)
    prop.values = 7
    assert prop.values == (7,)
    for wrong in ("a", 1.5, [1, "a"], True):
        with pytest.raises(TypeError):
            prop.values = wrong
    with pytest.raises(TypeError):
        prop.extend_values(["a"])
    prop.values = None
    assert prop.values == ()
    prop.values = [1]
    prop.delete_values()
    assert prop.values == ()
    assert str(nix.OdmlType.URL) == "url"
    assert nix.OdmlType.get_odml_type(np.float32) is nix.OdmlType.Float
    assert nix.DataType.get_dtype(3) is nix.DataType.Int64
    given = section.create_property("q", 1, oid="12345678-1234-4234-8234-123456789abc")
    assert given.id == "12345678-1234-4234-8234-123456789abc"
    with pytest.raises(ValueError, match="UUID"):
        section.create_property("r", 1, oid="x")
    with pytest.raises(exceptions.DuplicateName):
        section.create_property("q", 1)


def test_find_and_refer(full):
    with nix.File(full, "a") as file:
        top = file.sections["recording"]
        low = top.sections["amplifier"]
        third = low.create_section("third", "x")
        block = file.blocks[0]
        assert names_of(file.find_sections()) == ["recording", "template", "amplifier", "third"]
        assert names_of(file.find_sections(limit=0)) == ["recording", "template"]
        assert names_of(file.find_sections(limit=2)) == ["recording", "template", "amplifier"]
        assert names_of(file.find_sections(lambda each: each.type == "x")) == ["third"]
        assert names_of(top.find_sections(limit=0)) == ["recording"]
        assert names_of(top.find_sections(limit=1)) == ["recording", "amplifier"]
        assert names_of(low.find_related()) == ["recording", "amplifier", "third"]
        assert names_of(block.find_sources()) == ["animal", "cell"]
        assert names_of(block.find_sources(limit=1)) == ["animal"]
        assert names_of(block.sources[0].find_sources(limit=0)) == ["animal"]
        assert block.metadata.parent is None
        assert block.data_arrays["voltage"].metadata.parent == top
        assert third.parent == low
        assert names_of(top.referring_objects) == ["session", "all", "stimulus"]
        assert names_of(low.referring_objects) == ["voltage", "cell"]
        assert names_of(top.referring_blocks) == ["session"]
        assert names_of(top.referring_groups) == ["all"]
        assert names_of(top.referring_tags) == ["stimulus"]
        assert names_of(low.referring_data_arrays) == ["voltage"]
        assert names_of(low.referring_sources) == ["cell"]
        assert top.referring_multi_tags == top.referring_data_frames == []
        block.data_frames[0].metadata = low
        assert names_of(low.referring_data_frames) == ["table"]
        template = file.sections["template"]
        template["standard"] = 5
        assert top.link == template
        assert names_of(top.inherited_properties())[-2:] == ["empty", "standard"]
        template.link = top.id  # a circle
        assert len(top.inherited_properties()) == 6
        with pytest.raises(KeyError):
            template.link = "12345678-1234-4234-8234-123456789abc"
        with pytest.raises(TypeError):
            template.link = 3
        assert block.data_arrays["voltage"].sources[0].parent_source.name == "animal"
        assert names_of(block.sources[0].referring_tags) == ["stimulus"]
        assert block.sources[0].referring_multi_tags == []


# --- units ---


@pytest.mark.parametrize(
    ("unit", "parts"),
    [
        ("mV", ("m", "V", "")),
        ("mmol", ("m", "mol", "")),
        ("mSv", ("m", "Sv", "")),
        ("mWb", ("m", "Wb", "")),
        ("mlx", ("m", "lx", "")),
        ("m", ("", "m", "")),
        ("mm^2", ("m", "m", "2")),
        ("cd", ("", "cd", "")),
        ("dag", ("da", "g", "")),
        ("%", ("", "%", "")),
        ("s^-1", ("", "s", "-1")),
        ("Pa", ("", "Pa", "")),
        ("kHz", ("k", "Hz", "")),
        ("dB", ("", "dB", "")),
    ],
)
def test_split(unit, parts):
    assert units.split(unit) == parts
    assert units.is_atomic(unit)
    assert units.is_si(unit)


@pytest.mark.parametrize("unit", ["", "foo", "V^0", "xmV", "min", "1/kHz", "mV/", "none", "m V"])
def test_no_units(unit):
    assert not units.is_si(unit)
    with pytest.raises(exceptions.InvalidUnit):
        units.split(unit)


def test_scaling():
    for one, other, factor in (
        ("mV", "uV", 1e3),
        ("ms", "us", 1e3),
        ("mV^2", "uV^2", 1e6),
        ("s", "ms", 1e3),
        ("us", "s", 1e-6),
        ("V", "V", 1.0),
        ("mV/s", "V/s", 1e-3),
        ("m*s^-1", "mm/s", 1e3),
    ):
        assert units.scaling(one, other) == factor
        assert units.scalable(one, other)
    for one, other in (("mmol", "mm"), ("V", "s"), ("V", "V^2"), ("V", "none"), ("", "")):
        assert not units.scalable(one, other)
        with pytest.raises(ValueError, match="cannot be given"):
            units.scaling(one, other)
    assert units.scalable(["mV", "ms"], ["V", "s"])
    assert not units.scalable(["mV", "ms"], ["V"])
    assert units.is_compound("mV*cm/s^2")
    assert not units.is_compound("xmV/sz")
    assert not units.is_compound("mV")
    assert units.split_compound("mV*cm/s^2") == ["mV", "cm", "s^-2"]
    assert units.sanitizer(" µ V") == units.sanitizer("μV") == units.sanitizer("muV") == "uV"


# --- frames ---


@pytest.fixture
def frame(file):
    return file.create_block("b", "t").create_data_frame(
        "f",
        "t",
        col_dict={"n": str, "i": int, "x": float, "k": bool},
        data=[("a", 1, 1.5, True), ("b", 2, 2.5, False), ("ü", 3, 3.5, True)],
    )


def test_reading_frames(frame):
    rows = [("a", 1, 1.5, True), ("b", 2, 2.5, False), ("ü", 3, 3.5, True)]
    assert frame[:].tolist() == rows
    assert frame[1].tolist() == frame[-2].tolist() == rows[1]
    assert frame[0:2].tolist() == rows[:2]
    assert frame[::-1].tolist() == rows[::-1]
    assert [tuple(row) for row in frame] == rows
    assert frame["n"].tolist() == ["a", "b", "ü"]
    assert frame.read_rows([2, 0]).tolist() == [rows[2], rows[0]]
    assert frame.read_columns(index=[1]).tolist() == [1, 2, 3]
    assert frame.read_columns(name=["n", "x"], slc=slice(1, 3)).tolist() == [("b", 2.5), ("ü", 3.5)]
    grouped = frame.read_columns(name=["i", "x"], group_by_cols=True)
    assert grouped.tolist() == [[1.0, 2.0, 3.0], [1.5, 2.5, 3.5]]
    assert frame.read_cell(position=(1, 2)) == 2.5
    assert frame.read_cell(col_name="n", row_idx=[2]) == "ü"
    assert frame.column_names == ("n", "i", "x", "k")
    assert frame.dtype == (np.dtype(object), np.int64, np.float64, np.bool_)
    assert (frame.shape, frame.df_shape, frame.size, len(frame)) == ((3,), (3, 4), 3, 3)
    assert frame.row_count() == 3
    for call in (frame.read_columns, frame.read_cell, lambda: frame.write_column([1, 2, 3])):
        with pytest.raises(ValueError, match="give"):
            call()
    with pytest.raises(exceptions.OutOfBounds):
        frame.read_rows(3)
    with pytest.raises(KeyError, match="zz"):
        frame["zz"]


def test_writing_frames(frame, tmp_path, capsys):
    frame.write_rows([("z", 9, 9.5, False)], [1])
    frame.write_column([7, 8, 9], name="i")
    frame.write_column(["p", "q", "r"], index=0)
    frame.write_cell(0.25, position=(0, 2))
    frame.write_cell("s", col_name="n", row_idx=2)
    expected = [("p", 7, 0.25, True), ("q", 8, 9.5, False), ("s", 9, 3.5, True)]
    assert frame[:].tolist() == expected
    frame.append_rows([("t", 4, 4.5, True)])
    expected.append(("t", 4, 4.5, True))
    frame.units = ["", None, "m V", None]
    frame.append_column([1.0, 2.0, 3.0, 4.0], "new", float)
    expected = [(*row, float(number)) for number, row in enumerate(expected, 1)]
    assert frame[:].tolist() == expected
    assert frame.units.tolist() == [None, None, "mV", None, None]
    assert frame.columns[2] == ("x", np.dtype("f8"), "mV")
    with pytest.raises(exceptions.OutOfBounds):
        frame.write_rows([expected[0]], [9])
    with pytest.raises(IndexError):
        frame.write_rows(expected[:2], [0])
    with pytest.raises(ValueError, match="cells"):
        frame.write_column([1], name="i")
    with pytest.raises(ValueError, match="cells"):
        frame.append_column([1], "short")
    with pytest.raises(exceptions.DuplicateColumnName):
        frame.append_column([1, 2, 3, 4], "i")
    with pytest.raises(ValueError, match="unit"):
        frame.units = ["mV"]
    frame.units = None
    assert frame.units is None
    frame.write_to_csv(tmp_path / "f.csv")
    lines = (tmp_path / "f.csv").read_text(encoding="utf-8").splitlines()
    assert lines[:2] == ["n,i,x,k,new", "p,7,0.25,True,1.0"]
    frame.print_table(slice(0, 1), slice(0, 2))
    assert capsys.readouterr().out == "n  i\np  7\n"


def test_making_frames(block):
    rows = np.array([(1, 2.5)], dtype=[("a", "i2"), ("b", "f4")])
    made = block.create_data_frame("s", "t", data=rows)
    assert made[:].tolist() == [(1, 2.5)]
    assert made.dtype == (np.int16, np.float32)
    guessed = block.create_data_frame("g", "t", col_names=["a", "b"], data=[("x", 1)])
    assert guessed[:].tolist() == [("x", 1)]
    empty = block.create_data_frame("e", "t", col_dict={"a": str})
    assert (empty[:].tolist(), empty.shape) == ([], (0,))
    empty.append_rows([("ä",)])
    assert empty[:].tolist() == [("ä",)]
    with pytest.raises(exceptions.DuplicateColumnName):
        block.create_data_frame("d", "t", col_names=["a", "a"], col_dtypes=[int, int])
    with pytest.raises(ValueError, match="columns"):
        block.create_data_frame("d", "t", data=[(1, 2)])
    with pytest.raises(ValueError, match="type"):
        block.create_data_frame("d", "t", col_names=["a"])


def test_pandas(block):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"n": ["a", "b"], "i": [1, 2], "x": [0.5, np.nan], "k": [True, False]})
    table.attrs["units"] = {"x": "mV"}
    frame = nix.DataFrame.from_pandas(block, "f", "t", table)
    assert frame.units.tolist() == [None, None, "mV", None]
    found = frame.to_pandas()
    pandas.testing.assert_frame_equal(found.astype({"n": "str"}), table.astype({"n": "str"}))
    assert found.attrs == {"units": {"x": "mV"}}
    with pytest.raises(TypeError, match="column 'd'"):
        nix.DataFrame.from_pandas(block, "g", "t", pandas.DataFrame({"d": ["a", None]}))


# --- validation ---


def test_a_full_file_has_no_errors(full):
    with nix.File(full, "r") as file:
        report = file.validate()
        found = {each.name: texts for each, texts in report["errors"].items()}
    assert found == {}
    assert len(report["warnings"]) > 0


def test_findings(file):
    block = file.create_block("b", "t")
    array = block.create_data_array("a", "t", data=np.zeros((3, 4, 5)), unit="foo")
    array.polynom_coefficients = (1.0,)
    array.append_range_dimension([1.0, 1.0])
    array.append_sampled_dimension(-1.0, unit="mV/s", offset=1.0)
    array.append_set_dimension(["a"])
    bare = block.create_data_array("bare", "t", data=[1.0])
    bare.expansion_origin = 1.0
    no_ticks = block.create_data_array("no ticks", "t", data=[1.0])
    no_ticks.append_range_dimension()
    tag = block.create_tag("t", "t", None)
    tag.references.append(array)
    other = block.create_tag("u", "t", [1.0])
    other.extent, other.units = [1.0, 2.0], ["bar"]
    many = block.create_multi_tag("m", "t", np.empty(0), [1.0])
    many.units = ["s"]
    sampled = block.create_data_array("sampled", "t", data=[1.0])
    sampled.append_sampled_dimension(1.0, unit="V")
    many.references.append(sampled)
    feature = many.create_feature(bare, "indexed")
    section = file.create_section("s", "t")
    section["p"] = 1
    feature._gid.unlink(b"data")
    errors, warnings = (
        {each.name: texts for each, texts in file.validate()[kind].items()}
        for kind in ("errors", "warnings")
    )
    wrong, dubious = validator.ValidationError, validator.ValidationWarning
    assert errors["a"] == [
        wrong.UnsortedTicks.format(1),
        wrong.RangeDimTicksMismatch.format(1),
        wrong.InvalidSamplingInterval.format(2),
        wrong.InvalidDimensionUnit.format(2),
        wrong.SetDimLabelsMismatch.format(3),
    ]
    assert errors["bare"] == [wrong.DimensionMismatch]
    assert errors["no ticks"] == [wrong.NoTicks.format(1)]
    assert errors["t"] == ["position is not set", wrong.ReferenceUnitsMismatch]
    assert errors["u"] == [wrong.PositionExtentMismatch, wrong.InvalidUnit]
    assert errors["m"] == [
        wrong.NoPositions,
        wrong.PositionsExtentsMismatch,
        wrong.ReferenceUnitsIncompatible,
        "feature 0: data is not set",
    ]
    assert warnings["a"] == [dubious.InvalidUnit, dubious.NoExpansionOrigin]
    assert warnings["bare"] == [dubious.NoPolynomialCoefficients]
    assert warnings["s"] == ["property 0: unit is not set"]


def test_validation_of_damaged_files(full):
    with h5py.File(full, "r+") as raw:
        block = raw["data/session"]
        del block["data_arrays/voltage/data"]
        del block["data_arrays/image"].attrs["entity_id"]
        block["data_arrays/spikes/dimensions/1"].attrs["dimension_type"] = "odd"
        del block["tags/stimulus"].attrs["type"]
        block["data_arrays"]["soft"] = h5py.SoftLink("/data")
        block["data_arrays/flags/dimensions/x"] = h5py.SoftLink("/data")
        del raw.attrs["created_at"]
        del raw["metadata/recording/properties/gain"].attrs["name"]
    with nix.File(full, "r") as file:
        report = file.validate()["errors"]
        texts = [text for each in report.values() for text in each]
    wrong = validator.ValidationError
    for expected in (
        wrong.NoData,
        wrong.NoID,
        wrong.NoType,
        wrong.NoDate,
        wrong.DimensionTypeMismatch.format(1),
        wrong.InvalidDimensionIndex.format(2),
        "property 0: no name set",
    ):
        assert expected in texts
    assert any("soft or external link" in text for text in texts)


# --- printing ---


def test_pprint(full, capsys):
    with nix.File(full, "r") as file:
        file.pprint()
        lines = capsys.readouterr().out.splitlines()
        file.sections[0].pprint()
        section = capsys.readouterr().out.splitlines()
    assert lines[0] == f"File: name = {full}"
    assert "  Block: {name = session, type = nix.session}" in lines
    assert "      Shape: (100,) Unit: mV" in lines
    assert "      SampledDimension: {index = 1}" in lines
    assert section[:2] == ["recording [metadata.recording]", "    |- gain: (1.5, 2.5) mV± 0.25"]
    assert section[-2:] == ["  amplifier [metadata.hardware]", "      |- name: (A-1)"]


# --- older versions ---


def old_property(group, name, values, kind, uncertainty=0.0, reference=""):
    dtype = np.dtype(
        [
            ("value", kind),
            ("uncertainty", "f8"),
            ("reference", h5py.string_dtype()),
            ("filename", h5py.string_dtype()),
            ("encoder", h5py.string_dtype()),
            ("checksum", h5py.string_dtype()),
        ]
    )
    table = np.empty(len(values), dtype)
    table["value"], table["uncertainty"], table["reference"] = values, uncertainty, reference
    table["filename"] = table["encoder"] = table["checksum"] = ""
    made = group.create_dataset(name, data=table, maxshape=(None,), chunks=(4,))
    made.attrs["name"] = name
    made.attrs["entity_id"] = f"12345678-1234-4234-8234-{len(group):012d}"
    made.attrs["created_at"] = made.attrs["updated_at"] = "20150102T030405"


def test_old_properties(full):
    with h5py.File(full, "r+") as raw:
        raw.attrs["version"] = np.array([1, 1, 0], "i4")
        del raw.attrs["id"]
        group = raw["metadata/recording/properties"]
        old_property(group, "zeta", [1.5, 2.5], "f8", 0.5, "page")
        old_property(group, "alpha", ["x", "y"], h5py.string_dtype())
        old_property(group, "beta", [1, 2], "i8", [0.1, 0.2])
        old_property(group, "none", [], "i8")
    expected = {"zeta": (1.5, 2.5), "alpha": ("x", "y"), "beta": (1, 2), "none": ()}
    with nix.File(full, "r") as file:
        props = file.sections["recording"].props
        assert {name: props[name].values for name in expected} == expected
        assert (props["zeta"].uncertainty, props["zeta"].reference) == (0.5, "page")
        before = [(each.name, each.id) for each in props]
    assert nix.file_upgrade(full)
    with nix.File(full, "a") as file:
        props = file.sections["recording"].props
        assert {name: props[name].values for name in expected} == expected
        assert [(each.name, each.id) for each in props if "." not in each.name] == before
        assert (props["zeta"].uncertainty, props["zeta"].reference) == (0.5, "page")
        assert props["zeta"].created_at == 1420167845
        assert props["beta.uncertainty"].values == (0.1, 0.2)
        assert props["alpha"].data_type is nix.DataType.String
        props["zeta"].values = [3.5]
        assert file.id is not None
    assert [each.name for each in full.parent.iterdir()] == ["test.nix"]


def test_upgrade_failures(tmp_path, capsys):
    path = tmp_path / "x.nix"
    assert not nix.file_upgrade(path)
    path.write_bytes(b"nothing")
    assert not nix.file_upgrade(path)
    with h5py.File(path, "w"):
        pass
    assert not nix.file_upgrade(path, quiet=False)
    assert capsys.readouterr().err.count("not upgraded") == 3
    nix.File(path, "w").close()
    assert nix.file_upgrade(path, quiet=False)
    assert capsys.readouterr().out == f"{path}: 1.2.1 -> 1.2.1\n"
    assert [each.name for each in tmp_path.iterdir()] == ["x.nix"]


def test_groups_and_frames_of_the_cpp_library(full):
    """It keeps data frames of a group in ``data_frame`` and units at the data set."""
    with h5py.File(full, "r+") as raw:
        group = raw["data/session/groups/all"]
        group.move("data_frames", "data_frame")
        del raw["data/session/data_frames/table"].attrs["units"]
        raw.attrs["version"] = np.array([1, 2, 0], "i4")
    with nix.File(full, "r") as file:
        block = file.blocks[0]
        assert names_of(block.groups[0].data_frames) == ["table"]
        assert block.data_frames[0].units.tolist() == [None, None, "mV", None]
    assert nix.file_upgrade(full)
    with h5py.File(full) as raw:
        assert "data_frames" in raw["data/session/groups/all"]
        assert raw["data/session/data_frames/table"].attrs["units"].tolist() == ["", "", "mV", ""]
