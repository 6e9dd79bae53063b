"""Files, containers, names, ids, times, deletion and copies."""

from __future__ import annotations

import time
import uuid

import h5py
import numpy as np
import pytest

from ephyrus import nix
from ephyrus.errors import FormatError, WrongFormatError
from ephyrus.nix import exceptions, storage, util
from ephyrus.nix.util import names


def names_of(container):
    return [each.name for each in container]


# --- files ---


def test_modes(path, tmp_path):
    with pytest.raises(RuntimeError, match="no such file"):
        nix.File(path, nix.FileMode.ReadOnly)
    with pytest.raises(FileNotFoundError):
        nix.File(path, "r")
    with pytest.raises(ValueError, match="unknown mode"):
        nix.File(path, "q")
    file = nix.File(path)  # made
    assert (file.mode, file.format, file.version) == ("a", "nix", (1, 2, 1))
    assert file.is_open()
    file.create_block("b", "t")
    file.close()
    file.close()
    assert not file.is_open()
    with nix.File.open(str(path).encode(), nix.FileMode.ReadOnly) as file:
        assert names_of(file.blocks) == ["b"]
    with nix.File.open(path, nix.FileMode.Overwrite) as file:
        assert len(file.blocks) == 0
    other = tmp_path / "no.h5"
    other.write_bytes(b"not HDF5 at all" * 100)
    with pytest.raises(OSError, match=r"no\.h5"):
        nix.File(other, "r")
    with pytest.raises(WrongFormatError):
        nix.File(other)


def test_backend_is_ignored_with_a_warning(path):
    with pytest.warns(DeprecationWarning, match="backend"):
        nix.File.open(path, "w", backend="h5py").close()


@pytest.mark.parametrize(
    ("version", "reads", "writes"),
    [
        ((1, 0, 0), True, False),
        ((1, 1, 1), True, False),
        ((1, 2, 0), True, False),
        ((1, 2, 1), True, True),
        ((1, 2, 2), True, False),
        ((1, 3, 0), False, False),
        ((2, 0, 0), False, False),
        ((0, 9, 0), False, False),
        ((-1, -1, -1), False, False),
        ((1, -1, 0), False, False),
    ],
)
def test_versions(path, version, reads, writes):
    nix.File(path, "w").close()
    with h5py.File(path, "r+") as file:
        file.attrs["version"] = np.array(version, "i4")
    for mode, works in (("r", reads), ("a", writes)):
        if works:
            nix.File(path, mode).close()
        else:
            with pytest.raises(RuntimeError, match="version"):
                nix.File(path, mode)
    nix.File(path, "w").close()
    nix.File(path, "a").close()


def test_bad_roots(path):
    nix.File(path, "w").close()
    with h5py.File(path, "r+") as file:
        file.attrs["version"] = "1.0"
    with pytest.raises(RuntimeError, match="three integers"):
        nix.File(path, "r")
    with h5py.File(path, "r+") as file:
        file.attrs["version"] = np.array((1, 2, 1), "i4")
        file.attrs["id"] = "none"
    with pytest.raises(RuntimeError, match="UUID"):
        nix.File(path, "r")
    with h5py.File(path, "r+") as file:
        file.attrs["version"] = np.array((1, 1, 0), "i4")
        del file.attrs["id"]
        del file["metadata"]
        file.attrs["created_at"] = 0
    with nix.File(path, "r") as file:
        assert file.id is None
        assert list(file.sections) == []
        assert file.created_at == 0
    with h5py.File(path, "r+") as file:
        file.attrs["format"] = "other"
    with pytest.raises(exceptions.InvalidFile, match="format"):
        nix.File(path, "r")


def test_closed_and_read_only(path):
    with nix.File(path, "w") as file:
        block = file.create_block("b", "t")
        array = block.create_data_array("a", "t", data=[1.0])
        section = file.create_section("s", "t")
    for use in (
        lambda: block.name,
        lambda: block.id,
        lambda: array[:],
        lambda: array.shape,
        lambda: file.blocks,
        lambda: section.props,
        lambda: list(block.data_arrays),
        lambda: file.version,
    ):
        with pytest.raises(exceptions.ClosedFileError, match="closed"):
            len(use())
    assert repr(block) == "<Block of a closed file>"
    assert str(file) == f"file {str(path)!r} (closed)"
    with nix.File(path, "r") as file:
        block, section = file.blocks[0], file.sections[0]
        for change in (
            lambda: file.create_block("c", "t"),
            lambda: file.create_section("c", "t"),
            lambda: block.create_data_array("c", "t", data=[1]),
            lambda: setattr(block, "definition", "x"),
            lambda: block.data_arrays[0].append([2.0]),
            lambda: block.data_arrays[0].__setitem__(0, 1.0),
            lambda: section.__setitem__("a", 1),
            lambda: block.rename("c"),
            lambda: block.data_arrays.__delitem__(0),
            lambda: block.force_created_at(1),
        ):
            with pytest.raises(exceptions.ReadOnlyFileError, match=r"test\.nix"):
                change()


def test_times(file, monkeypatch):
    before = int(time.time())
    block = file.create_block("b", "t")
    assert before <= block.created_at == block.updated_at <= int(time.time())
    block.force_created_at(86401)
    block.force_updated_at(5)
    assert (block.created_at, block.updated_at) == (86401, 5)
    block.definition = "x"
    assert block.updated_at >= before
    assert block.created_at == 86401
    file.auto_update_timestamps = False
    block.force_updated_at(5)
    block.definition = "y"
    assert block.updated_at == 5
    with pytest.raises(exceptions.InvalidAttrType):
        block.force_created_at("now")
    file.force_created_at(7)
    assert file.created_at == 7


# --- entities and containers ---


def test_names_types_and_definitions(file):
    block = file.create_block("b", "t")
    with pytest.raises(AttributeError):
        block.name = "c"
    with pytest.raises(AttributeError):
        block.type = None
    with pytest.raises(exceptions.InvalidAttrType):
        block.type = 3
    block.type = "u"
    block.definition = "about"
    assert (block.type, block.definition) == ("u", "about")
    block.definition = None
    assert block.definition is None
    assert str(block) == "Block: {name = b, type = u}"
    for name in ("a/b", ".", 3):
        with pytest.raises(ValueError, match="name"):
            file.create_block(name, "t")
    with pytest.raises(ValueError, match="type"):
        file.create_block("c")
    with pytest.raises(exceptions.DuplicateName, match="'b'"):
        file.create_block("b", "t")
    unnamed = file.create_block(type_="t")
    assert unnamed.name == unnamed.id
    assert uuid.UUID(unnamed.id).version == 4
    assert names.sanitizer("a/b") == "a_b"
    assert file.blocks[0] == block
    assert hash(file.blocks[0]) == hash(block)
    assert len({block, file.blocks["b"], unnamed}) == 2


@pytest.mark.parametrize("count", [5, 200])
def test_container(file, count):
    block = file.create_block("b", "t")
    made = [block.create_data_array(f"z{9 * i % count}-{i}", "t", data=[i]) for i in range(count)]
    arrays = block.data_arrays
    expected = [each.name for each in made]
    for _ in range(2):
        assert len(arrays) == count
        assert names_of(arrays) == expected
        assert arrays[0] == made[0]
        assert arrays[-1] == made[-1]
        assert arrays[np.int64(2)] == made[2]
        assert arrays[made[3].id].name == made[3].name
        assert arrays[made[3].name].id == made[3].id
        assert [each.id for each in arrays[1:3]] == [each.id for each in made[1:3]]
        assert made[1] in arrays
        assert made[1].name in arrays
        assert made[1].id in arrays
        assert "nothing" not in arrays
        assert str(uuid.uuid4()) not in arrays
        assert [key for key, _ in arrays.items()] == [each.id for each in made]
        arrays = file.blocks["b"].data_arrays
    for key in (count, -count - 1):
        with pytest.raises(IndexError, match="data array"):
            arrays[key]
    for key in ("nothing", str(uuid.uuid4()), "", "a/b", "z/"):
        with pytest.raises(KeyError):
            arrays[key]
    with pytest.raises(TypeError):
        arrays[1.5]
    with pytest.raises(TypeError):
        block in arrays  # noqa: B015


@pytest.mark.parametrize("how", ["index", "name", "id"])
def test_large_containers_found_anew(path, how):
    """After reopening, single entities of large containers are found without reading all."""
    with nix.File(path, "w") as file:
        block = file.create_block("b", "t")
        made = [block.create_data_array(f"a{i}", "t", data=[i]) for i in range(300)]
        keys = [{"index": i, "name": each.name, "id": each.id}[how] for i, each in enumerate(made)]
    for number in (0, 1, 150, 299):
        with nix.File(path, "r") as file:
            assert file.blocks[0].data_arrays[keys[number]][:].tolist() == [number]
    # Another program deletes and adds: what we keep beside is out of date.
    with h5py.File(path, "r+") as raw:
        arrays = raw["data/b/data_arrays"]
        del arrays["a0"]
        arrays.copy("a7", "extra")
        arrays["extra"].attrs["entity_id"] = fresh = str(uuid.uuid4())
        arrays["extra"].attrs["name"] = "extra"
    with nix.File(path, "r") as file:
        arrays = file.blocks[0].data_arrays
        if how == "index":
            assert [arrays[i].name for i in (0, 149, 298, 299)] == ["a1", "a150", "a299", "extra"]
        else:
            assert arrays[keys[150]].name == "a150"
    with nix.File(path, "r") as file:
        arrays = file.blocks[0].data_arrays
        assert arrays[fresh].name == "extra"
        if how != "index":
            with pytest.raises(KeyError):
                arrays[keys[0]]


def test_long_index_of_ids_where_there_is_no_room(tmp_path):
    ids = [util.create_id() for _ in range(5000)]
    for libver, place in (("earliest", None), ("v108", 4321)):
        with h5py.File(tmp_path / f"{libver}.h5", "w", libver=(libver, "latest")) as raw:
            group = raw.create_group("g", track_order=libver != "earliest")
            storage.put_ids(group.id, ids)
            assert storage.place_of_id(group.id, ids[4321]) == place
            assert storage.place_of_id(group.id, util.create_id()) is None


def test_failed_creates_leave_nothing(file):
    block = file.create_block("b", "t")
    for attempt in (
        lambda: block.create_data_array("x", "t", data=[object()]),
        lambda: block.create_data_array("x", "t"),
        lambda: block.create_data_array("x", "t", data=np.zeros(2, [("a", int)])),
        lambda: block.create_data_array("x", "t", data=np.array(["2020-01-01"], "M8[s]")),
        lambda: block.create_data_array("x", "t", data=[1, 2], shape=(3,)),
        lambda: block.create_data_array("x", "t", data=iter([np.zeros((1, 2)), np.zeros((1, 3))])),
        lambda: block.create_data_array("x", "t", dtype=nix.DataType.String, data=["a\0b"]),
        lambda: block.create_data_array("x", "t", data=[1], unit="m\0"),
        lambda: block.create_data_array("x", "", data=[1]),
        lambda: block.create_data_frame("x", "t", col_dict={"a": object}, data=[(1,)]),
        lambda: block.create_data_frame("x", "t", col_names=["a"], col_dtypes=[int], data=[("q",)]),
        lambda: block.create_data_frame("x", "t"),
        lambda: block.create_multi_tag("x", "t", [1.0], "no such array"),
        lambda: block.create_multi_tag("x", "t"),
        lambda: block.create_tag("x", "t", "here"),
    ):
        with pytest.raises((TypeError, ValueError, KeyError)):
            attempt()
    for kind in ("data_arrays", "data_frames", "tags", "multi_tags"):
        assert names_of(getattr(block, kind)) == []
    assert file.validate()["errors"] == {}
    section = file.create_section("s", "t")
    for value in ([], None, [1, "a"], [1, 1.5], {"a": 1}, object(), [[1, 2], [3]], [2**70]):
        with pytest.raises(TypeError):
            section.create_property("p", value)
    assert len(section) == 0


def test_texts_without_a_type_are_taken(block):
    assert block.create_data_array("x", "t", data=["a", "b"])[:].tolist() == ["a", "b"]


def test_rename(path):
    with nix.File(path, "w") as file:
        block = file.create_block("b", "t")
        for name in "abc":
            block.create_data_array(name, "t", data=[1.0])
        array, again = block.data_arrays["b"], block.data_arrays["b"]
        identity = array.id
        group = block.create_group("g", "t")
        group.data_arrays.append(array)
        group.data_arrays[0].rename("new")
        assert array.name == again.name == "new"
        assert group.data_arrays["new"].id == identity
        assert "b" not in block.data_arrays
        with pytest.raises(exceptions.DuplicateName):
            array.rename("a")
        with pytest.raises(ValueError, match="name"):
            array.rename("a/b")
        source = block.create_source("s", "t").create_source("inner", "t")
        array.sources.append(source)
        array.sources[0].rename("innermost")
        section = file.create_section("top", "t").create_section("low", "t")
        block.metadata = section
        block.metadata.rename("lower")
        assert section.name == "lower"
    with nix.File(path, "r") as file:
        block = file.blocks[0]
        assert names_of(block.data_arrays) == ["a", "c", "new"]
        assert block.data_arrays[identity].name == "new"
        assert names_of(block.sources[0].sources) == ["innermost"]
        assert block.metadata.parent.name == "top"


# --- references ---


def test_link_containers(file):
    block, other = file.create_block("b", "t"), file.create_block("c", "t")
    one = block.create_data_array("one", "t", data=[1.0])
    two = block.create_data_array("two", "t", data=[2.0])
    foreign = other.create_data_array("one", "t", data=[3.0])
    group = block.create_group("g", "t")
    members = group.data_arrays
    members.append(one)
    members.append(one)
    members.append(two.id)
    members.append("two")
    assert names_of(members) == ["one", "two"]
    assert members["two"] == two
    assert members[two.id] == two
    assert members[1] == two
    assert one in members
    assert "one" in members
    assert foreign not in members
    with pytest.raises(RuntimeError, match="block"):
        members.append(foreign)
    with pytest.raises(TypeError):
        members.append(block)
    with pytest.raises(KeyError):
        members.append("three")
    with pytest.raises(RuntimeError):
        members.extend([one, foreign])
    del members["one"]
    assert names_of(members) == ["two"]
    assert names_of(block.data_arrays) == ["one", "two"]
    outer = block.create_source("s", "t")
    inner = outer.create_source("i", "t")
    alien = other.create_source("s", "t")
    one.sources.extend([inner, outer])
    assert names_of(one.sources) == ["i", "s"]
    assert one.sources["i"].parent_source == outer
    assert one.sources["i"].parent_block == block
    with pytest.raises(RuntimeError):
        one.sources.append(alien)
    del one.sources[inner]
    assert names_of(one.sources) == ["s"]
    assert outer.referring_data_arrays == [one]
    assert outer.referring_objects == [one]
    assert inner.referring_objects == []


def test_deleting_data_cuts_every_reference(full):
    with nix.File(full, "a") as file:
        block = file.blocks["session"]
        del block.data_arrays["voltage"]
        tag, events = block.tags[0], block.multi_tags[0]
        assert list(tag.references) == []
        assert names_of(block.groups[0].data_arrays) == ["image"]
        feature = events.features[1]
        with pytest.raises(RuntimeError, match="deleted"):
            _ = feature.data
        del block.data_arrays["spikes"]
        with pytest.raises(RuntimeError, match="deleted"):
            _ = events.positions
        dimension = block.data_arrays["flags"].dimensions[0]
        assert dimension.has_link
        with pytest.raises(RuntimeError, match="deleted"):
            _ = dimension.ticks
        del block.data_arrays["lengths"]
        assert events.extents is None
        frame = block.data_frames[0]
        del block.data_frames[frame.id]
        assert list(block.groups[0].data_frames) == []
        with pytest.raises(RuntimeError, match="deleted"):
            _ = block.data_arrays["texts"].dimensions[0].labels
        del block.tags[tag]
        del block.multi_tags["events"]
        assert list(block.groups[0].tags) == []
        assert list(block.groups[0].multi_tags) == []
        report = file.validate()
        assert any("deleted" in text for texts in report["errors"].values() for text in texts)


def test_deleting_sections_and_sources(full):
    with nix.File(full, "a") as file:
        block = file.blocks[0]
        del file.sections["recording"]
        assert block.metadata is None
        assert block.data_arrays["voltage"].metadata is None
        assert block.tags[0].metadata is None
        assert block.sources[0].sources[0].metadata is None
        assert names_of(file.sections) == ["template"]
        del block.sources["animal"]
        assert list(block.data_arrays["voltage"].sources) == []
        assert list(block.tags[0].sources) == []
        assert list(block.groups[0].sources) == []
        del block.groups[0]
        assert names_of(block.data_arrays)[:2] == ["voltage", "image"]
        del file.blocks["session"]
        assert names_of(file.blocks) == ["second"]
    with h5py.File(full) as raw:
        assert list(raw["data"]) == ["second"]


def test_removing_metadata_removes_nothing_else(file):
    section = file.create_section("s", "t")
    section.link = file.create_section("o", "t")
    block = file.create_block("b", "t")
    group, source = block.create_group("g", "t"), block.create_source("s", "t")
    for entity in (block, group, source):
        entity.metadata = section
        del entity.metadata
        assert entity.metadata is None
        entity.metadata = section
        entity.metadata = None
        assert entity.metadata is None
    section.link = None
    assert section.link is None
    assert names_of(file.blocks) == ["b"]
    assert names_of(block.groups) == ["g"]
    assert names_of(block.sources) == ["s"]
    assert names_of(file.sections) == ["s", "o"]
    with pytest.raises(TypeError):
        block.metadata = block


# --- copies ---


@pytest.mark.parametrize("keep", [True, False])
def test_copied_block(full, tmp_path, keep):
    with nix.File(full, "a") as file, nix.File(tmp_path / "o.nix", "w") as target:
        block = file.blocks[0]
        copied = target.create_block(name="copy", copy_from=block, keep_copy_id=keep)
        assert copied.name == "copy"
        for kind in ("data_arrays", "data_frames", "tags", "multi_tags", "groups", "sources"):
            originals, copies = getattr(block, kind), getattr(copied, kind)
            assert names_of(originals) == names_of(copies)
            same = [a.id == b.id for a, b in zip(originals, copies, strict=True)]
            assert same == [keep] * len(same)
        tag, events = copied.tags[0], copied.multi_tags[0]
        assert tag.references[0] == copied.data_arrays["voltage"]
        assert tag.references[0].id in copied.data_arrays
        np.testing.assert_array_equal(
            events.tagged_data(0, 0)[:], block.multi_tags[0].tagged_data(0, 0)[:]
        )
        assert copied.groups[0].data_arrays["image"] == copied.data_arrays["image"]
        assert copied.data_arrays["spikes"].dimensions[0].ticks == (1.5, 2.5, 5.0)
        with pytest.raises(NameError):
            target.create_block(name="copy", copy_from=block)


def test_deleting_a_copy_with_the_same_id_keeps_the_original(file):
    block = file.create_block("b", "t")
    array = block.create_data_array("a", "t", data=[1.0])
    group = block.create_group("g", "t")
    group.data_arrays.append(array)
    copied = block.create_data_array("copy", copy_from=array)
    assert copied.id == array.id
    del block.data_arrays["copy"]
    assert names_of(block.data_arrays) == ["a"]
    assert names_of(group.data_arrays) == ["a"]
    fresh = block.create_data_array("copy", copy_from=array, keep_copy_id=False)
    assert fresh.id != array.id
    assert fresh[:].tolist() == [1.0]
    with pytest.raises(TypeError):
        block.create_tag("t", copy_from=array)


def test_copied_section(full, tmp_path):
    with nix.File(full, "r") as file, nix.File(tmp_path / "o.nix", "w") as target:
        section = file.sections["recording"]
        whole = target.copy_section(section, name="new")
        assert (whole.name, whole.id) == ("new", section.id)
        assert whole["gain"] == [1.5, 2.5]
        assert names_of(whole.sections) == ["amplifier"]
        bare = target.copy_section(section, children=False, keep_id=False)
        assert bare.name == "recording"
        assert list(bare.sections) == []
        assert bare.id != section.id
        prop = bare.create_property("gain 2", copy_from=section.props["gain"], keep_copy_id=False)
        assert (prop.name, prop.values, prop.unit) == ("gain 2", (1.5, 2.5), "mV")
        with pytest.raises(NameError):
            target.copy_section(section)
        with pytest.raises(TypeError):
            target.copy_section(file)


# --- safe edits and locks ---


def test_safe_edits(path):
    with nix.File(path, "w") as file:
        file.create_block("old", "t")
    with pytest.raises(KeyError), nix.File(path, "a", safe=True) as file:  # noqa: PT012
        file.create_block("new", "t")
        raise KeyError
    assert [each.name for each in path.parent.iterdir()] == ["test.nix"]
    with nix.File(path, "r") as file:
        assert names_of(file.blocks) == ["old"]
    file = nix.File(path, "a", safe=True)
    file.create_block("new", "t")
    assert len(list(path.parent.iterdir())) == 2
    file.close()
    with nix.File(path, "r") as file:
        assert names_of(file.blocks) == ["old", "new"]
    with pytest.raises(KeyError), nix.File(path, "w") as file:
        raise KeyError  # overwriting works beside by itself
    with nix.File(path, "r") as file:
        assert names_of(file.blocks) == ["old", "new"]


@pytest.mark.parametrize("safe", [None, True])
def test_two_writers(path, safe):
    nix.File(path, "w").close()
    with nix.File(path, "a", safe=safe):
        for mode in ("a", "w"):
            with pytest.raises(exceptions.LockedFileError):
                nix.File(path, mode)
    nix.File(path, "a").close()


def test_file_objects(path, tmp_path):
    with path.open("w+b") as handle:
        with nix.File(handle, "w") as file:
            file.create_block("b", "t").create_data_array("a", "t", data=[1.0, 2.0])
        with nix.File(handle, "r") as file:
            assert file.blocks[0].data_arrays[0][:].tolist() == [1.0, 2.0]
        with nix.File(handle, "a") as file:
            file.create_block("c", "t")
    with nix.File(path.as_uri(), "r") as file:
        assert names_of(file.blocks) == ["b", "c"]
    with pytest.raises(ValueError, match="only be read"):
        nix.File(path.as_uri(), "a")


def test_dropped_files_keep_what_was_written(path):
    nix.File(path, "w").create_block("b", "t")
    import gc

    gc.collect()
    with nix.File(path, "r") as file:
        assert names_of(file.blocks) == ["b"]


def test_names_of_old_modules():
    from ephyrus.nix.cmd import file_upgrade
    from ephyrus.nix.data_array import DataSliceMode
    from ephyrus.nix.data_view import DataView
    from ephyrus.nix.dimensions import IndexMode, SliceMode
    from ephyrus.nix.exceptions.exceptions import DuplicateName
    from ephyrus.nix.file import FILE_FORMAT, HDF_FF_VERSION
    from ephyrus.nix.section import S

    assert DuplicateName is exceptions.DuplicateName
    assert (FILE_FORMAT, HDF_FF_VERSION) == ("nix", (1, 2, 1))
    assert SliceMode.Exclusive.to_index_mode() is IndexMode.Less
    assert IndexMode.LEQ is IndexMode.LessOrEqual
    assert (nix.S, nix.DataView, nix.DataSliceMode) == (S, DataView, DataSliceMode)
    assert nix.file_upgrade is file_upgrade
    assert util.str_to_time("20200101T000000") == 1577836800
    assert util.time_to_str(1577836800) == "20200101T000000"
    assert util.is_uuid(util.create_id())
    assert not util.is_uuid("x")
    assert issubclass(FormatError, OSError)
