"""One recording, read by the vendor library of the tests (both ways) and by our own reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from ephyrus import neuroshare
from tests.dll import building
from tests.neuroshare import vendor


@pytest.fixture(scope="session")
def vendor_library(tmp_path_factory) -> Path:
    """Path of the compiled vendor library."""
    return building.build(tmp_path_factory.mktemp("vendor"))


@pytest.fixture(scope="session")
def libraries(vendor_library):
    """Libraries by name, each loaded once."""
    path = str(vendor_library)
    return {
        "vendor": neuroshare.Library("vendor", path, isolate=False),
        "isolated": neuroshare.Library("isolated", path, isolate=True),
        "own": neuroshare.Library("ephyrus"),
    }


@pytest.fixture(params=["vendor", "isolated", "own"])
def library(request, libraries) -> neuroshare.Library:
    return libraries[request.param]


@pytest.fixture
def path(library, tmp_path) -> Path:
    """The recording, in the format that the library reads."""
    if library.path is None:
        return vendor.as_nsn().write(tmp_path / "recording.nsn")
    return building.recording(tmp_path / "recording.nst")


@pytest.fixture
def file(path, library):
    with neuroshare.File(path, library) as opened:
        yield opened
