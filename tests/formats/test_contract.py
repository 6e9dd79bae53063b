"""Every registered format through the contract, and its source through the house rules."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
from functools import cache
from pathlib import Path

import pytest

from ephyrus.errors import FormatError
from ephyrus.registry import BY_NAME, format_module, format_names, identify
from ephyrus.testing import FormatContract, Sample, Subject, access, damage

LONGEST_MODULE = 500  # lines
LONGEST_FUNCTION = 80  # lines, without docstring
FORBIDDEN_MODULES = {
    "ctypes",
    "ephyrus.batch",
    "ephyrus.cli",
    "ephyrus.core",
    "ephyrus.export",
    "ephyrus.io",
    "ephyrus.registry",
    "ephyrus.testing",
    "mmap",
    "pickle",
    "quantities",
    "shutil",
    "struct",
    "subprocess",
    "tempfile",
}
OBJECT_TREES = {"ephyrus.core"}  # allowed to formats that hold a whole object tree (read_blocks)
FORBIDDEN_CALLS = {
    "compile",
    "eval",
    "exec",
    "input",
    "open",
    "print",
    "np.fromfile",
    "np.load",
    "np.memmap",
    "np.save",
}


@cache
def _collected(name: str) -> tuple[tuple[Sample, ...], str]:
    """Give the samples of a format, or why there are none."""
    module = f"tests.synth.{name}"
    try:
        found = importlib.util.find_spec(module)
        if found is None:
            return (), f"tests/synth/{name}.py is missing"
        samples = tuple(importlib.import_module(module).samples())
    except Exception as error:  # a broken writer must not hide the other formats
        return (), f"tests/synth/{name}.py: {error!r}"
    return samples, "" if samples else f"tests/synth/{name}.py: samples() is empty"


# A service has no files that could be damaged: the tests of the client break its answers.
OF_FILES = [name for name in format_names() if format_module(name).FORMAT.mode != "database"]


@pytest.mark.parametrize("name", OF_FILES)
def test_format_has_samples(name):
    samples, reason = _collected(name)
    assert samples, f"{reason}; the contract needs samples of every format"
    assert {sample.format for sample in samples} == {name}
    names = [sample.name for sample in samples]
    assert sorted(set(names)) == sorted(names), "samples need names of their own"


SAMPLES_IN_FULL = 1  # a format gets the damage of so many samples; its samples share it
EVERYTHING = os.environ.get("EPHYRUS_CONTRACT", "") == "full"


def _share(subject: Subject, count: int) -> int:
    """Give how much damage a sample gets: seeds and places differ from sample to sample."""
    samples = len(_collected(subject.sample.format)[0])
    return count if EVERYTHING else min(count, -(-count * SAMPLES_IN_FULL // samples))


class TestContract(FormatContract):
    lying_counts = 500  # of each sample; the samples of a format share the places

    def test_mutations(self, with_file: Subject) -> None:
        """Seeded damage raises only FormatError or OSError, within time and memory."""
        damage.check_mutations(with_file, _share(with_file, self.mutations), self.limits)

    def test_lying_counts(self, with_file: Subject) -> None:
        """So do counts that no honest file has."""
        count = _share(with_file, self.lying_counts)
        damage.check_lying_counts(with_file, count, self.head_bytes, self.limits)

    def test_truncation(self, with_file: Subject) -> None:
        """A cut file raises, or is read in part and says so: at every boundary, and elsewhere."""
        damage.check_truncation(with_file, _share(with_file, self.truncations), self.limits)

    def test_salvage(self, with_file: Subject) -> None:
        """What is salvaged of a cut file is a part of the sound one; sound files stay the same."""
        access.check_salvage_of_sound(with_file)
        damage.check_salvage(with_file, _share(with_file, self.truncations), self.limits)

    def samples(self):
        return [sample for name in format_names() for sample in _collected(name)[0]]

    def test_identified(self, subject: Subject) -> None:
        """No other format claims the file more surely than its own."""
        files = subject.files()
        own = subject.sample.format
        matches = identify(files)
        files.close()
        assert own in [match.format.name for match in matches]
        surest = [
            match.format.name
            for match in matches
            if match.confidence == matches[0].confidence and match.confidence > BY_NAME
        ]
        assert surest in ([own], []), f"{own} is taken for {surest}"


# The source of each format


def _sources(name: str) -> list[Path]:
    found = importlib.util.find_spec(f"ephyrus.formats.{name}")
    assert found is not None
    assert found.origin is not None
    origin = Path(found.origin)
    return sorted(origin.parent.rglob("*.py")) if origin.name == "__init__.py" else [origin]


SOURCES = [(name, path) for name in format_names() for path in _sources(name)]
EACH_SOURCE = pytest.mark.parametrize(
    ("name", "path"), SOURCES, ids=[f"{name}-{path.stem}" for name, path in SOURCES]
)


@pytest.mark.parametrize("name", format_names())
def test_declaration_follows_the_naming_rule(name):
    module = format_module(name)
    declared = module.FORMAT
    assert declared.name == name
    assert declared.io_class.endswith("IO")
    assert declared.io_class.lower().removesuffix("io") == name
    assert declared.label
    assert declared.holds
    assert all(each == each.lower().strip(".") for each in declared.extensions)
    for function in ("sniff", "parse_header", "index", "describe", "read_signal", "read_table"):
        assert callable(getattr(module, function)), function


@pytest.mark.parametrize("name", format_names())
def test_options_are_documented(name):
    declared = format_module(name).FORMAT
    for option in (*declared.options, *declared.write_options):
        assert option.name.isidentifier()
        assert option.doc.endswith("."), f"{option.name}: a sentence"
        if option.default is not None:
            assert option.converted(option.default) is not None
        assert not option.choices or option.default is None or option.default in option.choices


@pytest.mark.parametrize("name", format_names())
def test_docstring_is_the_user_page(name):
    doc = format_module(name).__doc__
    assert doc is not None, "the module's docstring is its user documentation"
    assert len(doc.split()) > 40
    assert "Source" in doc, "name the published source of the layout"
    assert "Not read" in doc or "Nothing is left out" in doc, "say what is not read"


@EACH_SOURCE
def test_module_is_short(name, path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST_MODULE, f"{path.name} has {lines} lines: make it a package"


@EACH_SOURCE
def test_functions_are_short(name, path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            lines = node.end_lineno - node.lineno + 1
            doc = node.body[0] if ast.get_docstring(node) is not None else None
            lines -= 0 if doc is None else doc.end_lineno - doc.lineno + 1
            assert lines <= LONGEST_FUNCTION, f"{path.name}, {node.name}: {lines} lines"


@EACH_SOURCE
def test_module_has_a_docstring(name, path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@EACH_SOURCE
def test_imports_are_allowed(name, path):
    forbidden = FORBIDDEN_MODULES
    if hasattr(format_module(name), "read_blocks"):
        forbidden = forbidden - OBJECT_TREES
    for imported in _imports(ast.parse(path.read_text(encoding="utf-8"))):
        parents = {imported.rsplit(".", cut)[0] for cut in range(imported.count(".") + 1)}
        assert not parents & forbidden, f"{path.name} imports {imported}"
        of_format = imported.removeprefix("ephyrus.formats.")
        if of_format != imported:
            assert of_format.split(".")[0] == name, f"{path.name} imports another format"


def _imports(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@EACH_SOURCE
def test_calls_are_allowed(name, path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in FORBIDDEN_CALLS, f"{path.name}:{node.lineno}: {called}"
            assert not called.endswith((".open", ".read_bytes", ".read_text")), (
                f"{path.name}:{node.lineno}: {called}: bytes come from files.source()"
            )


@EACH_SOURCE
def test_no_broad_except(name, path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ExceptHandler):
            caught = "" if node.type is None else ast.unparse(node.type)
            broad = {"", "Exception", "BaseException", "OSError", "EnvironmentError", "IOError"}
            names = set(caught.strip("()").split(", "))
            assert not names & broad, f"{path.name}:{node.lineno}: except {caught}"


def test_a_format_error_is_an_os_error():
    """What the contract lets through; `check_failing_disk` tells the two apart by the cause."""
    assert issubclass(FormatError, OSError)
