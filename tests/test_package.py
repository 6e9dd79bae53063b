"""The package as a whole: public names, import cost, version, docstring examples."""

import doctest
import importlib
import json
import pkgutil
import subprocess
import sys

import pytest

import ephyrus

HEAVY = {"h5py", "scipy", "matplotlib", "dask", "xarray", "pandas", "fsspec", "rich", "typer"}


def module_names():
    """Name all modules but those that other programs run as scripts."""
    found = {module.name for module in pkgutil.walk_packages(ephyrus.__path__, "ephyrus.")}
    return sorted(
        name for name in found if not name.endswith("__main__") and ".migrations." not in name
    )


def loaded_by(statement):
    code = f"{statement}\nimport sys, json\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(json.loads(done.stdout))


def test_public_names_are_sorted_and_there():
    assert sorted(ephyrus.__all__) == sorted(set(ephyrus.__all__))
    for name in ephyrus.__all__:
        assert getattr(ephyrus, name) is not None
    assert set(dir(ephyrus)) == set(ephyrus.__all__)


def test_lazy_names_equal_all():
    assert set(ephyrus._LAZY) | {"__version__"} == set(ephyrus.__all__)


def test_everything_of_core_is_exported():
    core = importlib.import_module("ephyrus.core")
    missing = set(core.__all__) - set(ephyrus.__all__)
    assert not missing


@pytest.mark.parametrize("name", module_names())
def test_all_of_each_module_exists(name):
    module = importlib.import_module(name)
    for public in getattr(module, "__all__", []):
        assert hasattr(module, public), f"{name}.__all__ names {public}"


def test_import_loads_nothing_heavy():
    loaded = loaded_by("import ephyrus")
    assert not loaded & (HEAVY | {"numpy", "quantities"})


def test_core_and_open_load_nothing_heavy():
    loaded = loaded_by("import ephyrus\nephyrus.open('x.fake')\nephyrus.read('x.fake')")
    assert not loaded & HEAVY


def test_one_io_class_imports_one_format():
    loaded = loaded_by("from ephyrus.io import ExampleIO")
    formats = {name for name in loaded if name.startswith("ephyrus.formats.")}
    assert formats == {"ephyrus.formats.example"}


def test_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = ephyrus.nonsense


@pytest.mark.parametrize("name", module_names())
def test_docstring_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    results = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert results.failed == 0
