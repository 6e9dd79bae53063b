"""Random work on a file, compared with a plain model of it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ephyrus import nix

NAMES = st.text(
    st.characters(blacklist_characters="/\0", blacklist_categories=("Cs",)), min_size=1, max_size=8
).filter(lambda name: name != ".")
VALUES = st.lists(st.floats(allow_nan=False), max_size=5)


class FileMachine(RuleBasedStateMachine):
    """Makes, appends, renames, references, deletes and reopens; the model are dictionaries."""

    @initialize()
    def make(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "model.nix"
        self.file = nix.File(self.path, "w")
        self.block = self.file.create_block("block", "t")
        self.group = self.block.create_group("group", "t")
        self.arrays: dict[str, list[float]] = {}
        self.ids: dict[str, str] = {}
        self.members: list[str] = []
        self.sections: dict[str, dict[str, list]] = {}

    def teardown(self) -> None:
        self.file.close()
        shutil.rmtree(self.folder)

    def chosen(self, number: int) -> str:
        return list(self.arrays)[number % len(self.arrays)]

    @rule(name=NAMES, values=VALUES)
    def create(self, name: str, values: list[float]) -> None:
        if name in self.arrays:
            try:
                self.block.create_data_array(name, "t", data=np.array(values, float))
            except nix.exceptions.DuplicateName:
                return
            raise AssertionError("a duplicate was made")
        made = self.block.create_data_array(name, "t", data=np.array(values, float))
        self.arrays[name], self.ids[name] = list(values), made.id

    @precondition(lambda self: self.arrays)
    @rule(number=st.integers(0, 99), values=VALUES)
    def append(self, number: int, values: list[float]) -> None:
        name = self.chosen(number)
        self.block.data_arrays[name].append(np.array(values, float))
        self.arrays[name] += values

    @precondition(lambda self: self.arrays)
    @rule(number=st.integers(0, 99), name=NAMES)
    def rename(self, number: int, name: str) -> None:
        old = self.chosen(number)
        if name in self.arrays:
            return
        self.block.data_arrays[self.ids[old]].rename(name)
        self.arrays[name] = self.arrays.pop(old)
        self.ids[name] = self.ids.pop(old)
        self.members = [name if each == old else each for each in self.members]

    @precondition(lambda self: self.arrays)
    @rule(number=st.integers(0, 99))
    def refer(self, number: int) -> None:
        name = self.chosen(number)
        self.group.data_arrays.append(self.block.data_arrays[name])
        if name not in self.members:
            self.members.append(name)

    @precondition(lambda self: self.members)
    @rule(number=st.integers(0, 99))
    def drop_reference(self, number: int) -> None:
        del self.group.data_arrays[self.members.pop(number % len(self.members))]

    @precondition(lambda self: self.arrays)
    @rule(number=st.integers(0, 99), how=st.sampled_from(["name", "id", "index", "entity"]))
    def delete(self, number: int, how: str) -> None:
        name = self.chosen(number)
        arrays = self.block.data_arrays
        key = {
            "name": name,
            "id": self.ids[name],
            "index": list(self.arrays).index(name),
            "entity": arrays[name],
        }[how]
        del arrays[key]
        del self.arrays[name], self.ids[name]
        self.members = [each for each in self.members if each != name]

    @rule(name=NAMES, key=NAMES, values=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
    def annotate(self, name: str, key: str, values: list[int]) -> None:
        if name not in self.sections:
            self.file.create_section(name, "t")
        self.file.sections[name][key] = values
        self.sections.setdefault(name, {})[key] = values

    @rule(mode=st.sampled_from(["a", "safe"]))
    def reopen(self, mode: str) -> None:
        self.file.close()
        self.file = nix.File(self.path, "a", safe=mode == "safe")
        self.block = self.file.blocks["block"]
        self.group = self.block.groups[0]

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "file"):
            return
        arrays = self.block.data_arrays
        assert {each.name: each[:].tolist() for each in arrays} == self.arrays
        assert [each.name for each in arrays] == list(self.arrays)
        assert {each.name: each.id for each in arrays} == self.ids
        assert [each.name for each in self.group.data_arrays] == self.members
        found = {
            section.name: {prop.name: list(prop.values) for prop in section.props}
            for section in self.file.sections
        }
        assert found == self.sections


FileMachine.TestCase.settings = settings(
    deadline=None, max_examples=25, stateful_step_count=25, suppress_health_check=list(HealthCheck)
)
TestFileMachine = FileMachine.TestCase


TREES = st.recursive(
    st.fixed_dictionaries({"props": st.dictionaries(NAMES, st.text(max_size=5), max_size=3)}),
    lambda children: st.fixed_dictionaries(
        {
            "props": st.dictionaries(
                NAMES, st.one_of(st.booleans(), st.integers(-5, 5), st.floats(allow_nan=False))
            ),
            "sections": st.dictionaries(NAMES, children, max_size=3),
        }
    ),
    max_leaves=8,
)


def write_tree(section, tree) -> None:
    for name, value in tree["props"].items():
        section[name] = value
    for name, below in tree.get("sections", {}).items():
        write_tree(section.create_section(name, "t"), below)


def read_tree(section) -> dict:
    found: dict = {"props": {prop.name: prop.values[0] for prop in section.props}}
    if len(section.sections):
        found["sections"] = {each.name: read_tree(each) for each in section.sections}
    return found


def trimmed(tree: dict) -> dict:
    found: dict = {"props": tree["props"]}
    if tree.get("sections"):
        found["sections"] = {name: trimmed(each) for name, each in tree["sections"].items()}
    return found


@settings(deadline=None, max_examples=50)
@given(tree=TREES)
def test_trees_of_sections(tmp_path_factory, tree):
    def clean(value):
        if isinstance(value, dict):
            return {key: clean(each) for key, each in value.items()}
        return value.replace("\0", "") if isinstance(value, str) else value

    tree = clean(tree)
    path = tmp_path_factory.mktemp("tree") / "t.nix"
    with nix.File(path, "w") as file:
        write_tree(file.create_section("root", "t"), tree)
    with nix.File(path, "r") as file:
        found = read_tree(file.sections[0])
        assert found == trimmed(tree)
        assert repr(found) == repr(trimmed(tree))  # types too
        target = path.with_name("copy.nix")
        with nix.File(target, "w") as copy:
            copied = copy.copy_section(file.sections[0], keep_id=False)
            assert read_tree(copied) == found
