"""Recordings for the command line, and a runner."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from ephyrus.cli import app

HEADER = """Brain Vision Data Exchange Header File Version 1.0
; made by a test

[Common Infos]
Codepage=UTF-8
DataFile=eeg.eeg
MarkerFile=eeg.vmrk
DataFormat=BINARY
DataOrientation=MULTIPLEXED
NumberOfChannels=3
SamplingInterval=1000

[Binary Infos]
BinaryFormat=INT_16

[Channel Infos]
Ch1=Fp1,,0.5,µV
Ch2=Cz,,0.5,µV
Ch3=Temp,,0.1,C
"""

MARKERS = """Brain Vision Data Exchange Marker File, Version 1.0

[Common Infos]
Codepage=UTF-8
DataFile=eeg.eeg

[Marker Infos]
Mk1=New Segment,,1,1,0,20240229123456000000
Mk2=Stimulus,S  1,101,1,0
Mk3=Stimulus,S  2,501,1,0
Mk4=Response,R  1,601,1,0
"""


@dataclass(frozen=True)
class Eeg:
    """A BrainVision recording of a test: 2000 points of 3 channels at 1 kHz."""

    path: Path
    stored: np.ndarray

    @property
    def values(self) -> np.ndarray:
        return self.stored.astype(np.float32) * np.array([0.5, 0.5, 0.1], np.float32)


@pytest.fixture
def eeg(tmp_path: Path) -> Eeg:
    folder = tmp_path / "session"
    folder.mkdir()
    stored = np.random.default_rng(7).integers(-3000, 3000, (2000, 3)).astype("<i2")
    (folder / "eeg.vhdr").write_text(HEADER, encoding="utf-8")
    (folder / "eeg.vmrk").write_text(MARKERS, encoding="utf-8")
    (folder / "eeg.eeg").write_bytes(stored.tobytes())
    return Eeg(folder / "eeg.vhdr", stored)


@dataclass(frozen=True)
class Raw:
    """A raw binary recording of a test: 3000 samples of 4 channels, and how to open it."""

    path: Path
    stored: np.ndarray
    how: tuple[str, ...]


@pytest.fixture
def raw(tmp_path: Path) -> Raw:
    stored = np.random.default_rng(8).integers(-3000, 3000, (3000, 4)).astype("<i2")
    path = tmp_path / "probe.raw"
    path.write_bytes(stored.tobytes())
    options = "nb_channel=4", "sampling_rate=20kHz", "signal_gain=0.25", "units=mV"
    return Raw(path, stored, ("-f", "rawbinarysignal", *(f"-O{each}" for each in options)))


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def errors(self) -> list[str]:
        return self.err.splitlines()


@pytest.fixture
def run() -> Callable[..., Outcome]:
    """Run a command within this process."""

    def invoke(*arguments: object, columns: int = 200) -> Outcome:
        result = CliRunner().invoke(
            app,
            [str(each) for each in arguments],
            env={"COLUMNS": str(columns)},
            prog_name="ephyrus",
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return invoke


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run the program in a process of its own."""

    def start(
        *arguments: object, environment: dict[str, str] | None = None, **options: Any
    ) -> subprocess.CompletedProcess[bytes]:
        own = {**os.environ, "COLUMNS": "200", **(environment or {})}
        command = [*PROGRAM, *map(str, arguments)]
        options = {"capture_output": True, "timeout": 60, "check": False} | options
        return subprocess.run(command, env=own, **options)

    return start


PROGRAM = (sys.executable, "-m", "ephyrus.cli")
