"""The vendor library of the tests, in this process and in one of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ephyrus.dll.interface import NeuroshareLibrary
from ephyrus.dll.isolated import IsolatedLibrary
from ephyrus.dll.library import DllLibrary
from tests.dll import building

Build = Callable[..., Path]
Record = Callable[..., str]


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Compiles a variant: ``build("PACKED")``."""
    folder = tmp_path_factory.mktemp("vendor")

    def built(*defines: str, name: str = building.NAME) -> Path:
        return building.build(folder, *defines, name=name)

    return built


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """Writes a recording: ``record("crash ns_GetEventData")``."""

    def written(*orders: str, name: str = "recording.nst") -> str:
        return str(building.recording(tmp_path / name, *orders))

    return written


@pytest.fixture(scope="session")
def in_process(build: Build) -> DllLibrary:
    return DllLibrary(build())


@pytest.fixture(scope="session")
def isolated(build: Build) -> Iterator[IsolatedLibrary]:
    library = IsolatedLibrary(build(), timeout=60)
    yield library
    library.shutdown()


@pytest.fixture(params=["in process", "isolated"])
def library(request: pytest.FixtureRequest) -> NeuroshareLibrary:
    """The library, both ways."""
    return request.getfixturevalue(request.param.replace(" ", "_"))


@pytest.fixture
def open_file(
    library: NeuroshareLibrary, record: Record
) -> Iterator[Callable[..., tuple[NeuroshareLibrary, int]]]:
    """Opens a recording with orders, and closes it again."""
    opened = []

    def made(*orders: str) -> tuple[NeuroshareLibrary, int]:
        handle = library.open(record(*orders, name=f"{len(opened)}.nst"))
        opened.append(handle)
        return library, handle

    yield made
    for handle in opened:
        library.close(handle)
