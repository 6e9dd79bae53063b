"""Writes BrainVision recordings of every kind: header, markers and data, byte for byte as told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from ephyrus.testing.sample import Sample

DTYPES = {
    "INT_16": "i2",
    "INT_32": "i4",
    "IEEE_FLOAT_32": "f4",
    "UINT_16": "u2",
    "IEEE_FLOAT_64": "f8",
}
MARKERS = (
    ("New Segment", "", 1, 1, 0, "20240229235959123456"),
    ("Stimulus", "S  1", 3, 1, 0, None),
    ("Stimulus", "S  2", 10, 5, 0, None),
    ("Comment", "left, then right", 12, 1, 2, None),
    ("Response", "R  1", 40, 1, 0, None),
)


@dataclass(frozen=True)
class Recipe:
    """Everything that can differ between BrainVision recordings."""

    names: Sequence[str] = ("Fp1", "a,b", "Ekg")
    references: Sequence[str] = ("", "Cz", "")
    resolutions: Sequence[str] = ("0.5", "0.1", "")
    units: Sequence[str] = ("µV", "mV", "")
    coordinates: Sequence[tuple[float, float, float]] = ()
    markers: Sequence[tuple[str, str, int, int, int, str | None]] = MARKERS
    interval: str = "2000"
    data_format: str = "BINARY"
    orientation: str = "MULTIPLEXED"
    binary_format: str = "INT_16"
    big_endian: bool = False
    data_points: bool = True
    segment_points: int | None = None
    common: Sequence[str] = ()  # further lines of [Common Infos]
    comment: str = ""
    version: str = "1.0"
    header_line: str | None = "Brain Vision Data Exchange Header File Version {version}"
    marker_line: str | None = "Brain Vision Data Exchange Marker File, Version {version}"
    codepage: str | None = "UTF-8"
    encoding: str = "utf-8"
    newline: str = "\r\n"
    suffixes: tuple[str, str, str] = ("vhdr", "vmrk", "eeg")
    data_name: str = "{base}.{suffix}"
    marker_name: str | None = "{base}.{suffix}"
    decimal: str = "."
    separator: str = " "
    skip_lines: int = 0
    skip_columns: int = 0
    hidden_channels: int = 0  # stored behind those that are listed
    opened: int = 0  # which of the three files is opened
    number: Callable[[float], str] = field(default="{:.4f}".format)


def stored_numbers(points: int, channels: int = 3, binary_format: str = "INT_16") -> np.ndarray:
    """Numbers that differ everywhere: shape (points, channels), of the format's type."""
    dtype = np.dtype("<" + DTYPES[binary_format])
    ramp = np.arange(points * channels, dtype=np.int64).reshape(points, channels)
    if dtype.kind == "f":
        return (np.sin(ramp * 0.37) * 100).astype(dtype)
    info = np.iinfo(dtype)
    span = int(info.max) - int(info.min)
    return ((ramp * 7919) % span + int(info.min)).astype(dtype)


def header_text(recipe: Recipe, base: str, points: int) -> str:
    lines = (
        [] if recipe.header_line is None else [recipe.header_line.format(version=recipe.version)]
    )
    lines += ["; Data created by the Vision Recorder", "", "[Common Infos]"]
    lines += [] if recipe.codepage is None else [f"Codepage={recipe.codepage}"]
    lines.append(f"DataFile={recipe.data_name.format(base=base, suffix=recipe.suffixes[2])}")
    if recipe.marker_name is not None:
        name = recipe.marker_name.format(base=base, suffix=recipe.suffixes[1])
        lines.append(f"MarkerFile={name}")
    lines += [f"DataFormat={recipe.data_format}", "; Data orientation: MULTIPLEXED=ch1,pt1 ..."]
    lines += [f"DataOrientation={recipe.orientation}", f"NumberOfChannels={len(recipe.names)}"]
    lines += [f"DataPoints={points}"] if recipe.data_points else []
    lines.append(f"SamplingInterval={recipe.interval}")
    if recipe.segment_points is not None:
        lines += ["SegmentationType=MARKERBASED", f"SegmentDataPoints={recipe.segment_points}"]
    lines += [*recipe.common, ""]
    if recipe.data_format == "ASCII":
        lines += ["[ASCII Infos]", f"DecimalSymbol={recipe.decimal}"]
        lines += [f"SkipLines={recipe.skip_lines}", f"SkipColumns={recipe.skip_columns}"]
    else:
        lines += ["[Binary Infos]", f"BinaryFormat={recipe.binary_format}"]
        lines += ["UseBigEndianOrder=YES"] if recipe.big_endian else []
    lines += ["", "[Channel Infos]", "; Each entry: Ch<number>=<Name>,<Reference>,<Resolution>,..."]
    for i, name in enumerate(recipe.names):
        fields = [name, recipe.references[i]]
        fields = [text.replace(",", "\\1") for text in fields] + [recipe.resolutions[i]]
        fields += [recipe.units[i]] if i < len(recipe.units) else []
        lines.append(f"Ch{i + 1}={','.join(fields)}")
    if recipe.coordinates:
        lines += ["", "[Coordinates]"]
        lines += [
            f"Ch{i}={','.join(f'{value:g}' for value in place)}"
            for i, place in enumerate(recipe.coordinates, 1)
        ]
    if recipe.comment:
        lines += ["", "[Comment]", *recipe.comment.split("\n")]
    return recipe.newline.join([*lines, ""])


def marker_text(recipe: Recipe, base: str) -> str:
    lines = (
        [] if recipe.marker_line is None else [recipe.marker_line.format(version=recipe.version)]
    )
    lines += ["", "[Common Infos]"]
    lines += [] if recipe.codepage is None else [f"Codepage={recipe.codepage}"]
    lines += [f"DataFile={recipe.data_name.format(base=base, suffix=recipe.suffixes[2])}"]
    lines += ["", "[Marker Infos]", "; Each entry: Mk<number>=<Type>,<Description>,..."]
    for number, (kind, label, position, size, channel, date) in enumerate(recipe.markers, 1):
        texts = [text.replace(",", "\\1") for text in (kind, label)]
        fields = [*texts, str(position), str(size), str(channel), *([date] if date else [])]
        lines.append(f"Mk{number}={','.join(fields)}")
    return recipe.newline.join([*lines, ""])


def data_bytes(recipe: Recipe, stored: np.ndarray) -> bytes:
    if recipe.hidden_channels:
        hidden = np.full((len(stored), recipe.hidden_channels), 77, stored.dtype)
        stored = np.hstack([stored, hidden])
    table = stored.T if recipe.orientation == "VECTORIZED" else stored
    if recipe.data_format == "ASCII":
        return _text_data(recipe, table)
    order = ">" if recipe.big_endian else "<"
    return np.ascontiguousarray(table, order + DTYPES[recipe.binary_format]).tobytes()


def _text_data(recipe: Recipe, table: np.ndarray) -> bytes:
    rows = [[recipe.number(value).replace(".", recipe.decimal) for value in row] for row in table]
    heads = [[f"x{i}"] * recipe.skip_columns for i in range(len(rows))]
    lines = [recipe.separator.join([*h, *row]) for h, row in zip(heads, rows, strict=True)]
    return recipe.newline.join([*(["names of channels"] * recipe.skip_lines), *lines, ""]).encode()


def write(folder: Path, recipe: Recipe, stored: np.ndarray, *, base: str = "rec") -> Path:
    """Write the files of a recording; gives the one to open."""
    paths = [folder / f"{base}.{suffix}" for suffix in recipe.suffixes]
    paths[0].write_bytes(header_text(recipe, base, len(stored)).encode(recipe.encoding))
    if recipe.marker_name is not None:
        paths[1].write_bytes(marker_text(recipe, base).encode(recipe.encoding))
    paths[2].write_bytes(data_bytes(recipe, stored))
    return paths[recipe.opened]


def write_sparse(folder: Path, recipe: Recipe, points: int, *, base: str = "rec") -> Path:
    """Write a recording of zeros whose data file takes no room."""
    path = write(
        folder, recipe, stored_numbers(0, len(recipe.names), recipe.binary_format), base=base
    )
    text = header_text(recipe, base, points)
    path.write_bytes(text.encode(recipe.encoding))
    width = len(recipe.names) + recipe.hidden_channels
    size = points * width * np.dtype(DTYPES[recipe.binary_format]).itemsize
    with (folder / f"{base}.{recipe.suffixes[2]}").open("rb+") as file:
        file.truncate(size)
    return path


COORDINATES = ((1.0, -92.0, -72.0), (1.0, 45.5, 90.0), (0.0, 0.0, 0.0))
COMMENT = "A m p l i f i e r\n[kOhm] range\nFp1:  5\nSampling Interval [µS]: 2000"
RECIPES = {
    "int16": Recipe(coordinates=COORDINATES, comment=COMMENT),
    "int16-vectorized": Recipe(orientation="VECTORIZED"),
    "int32": Recipe(binary_format="INT_32"),
    "int32-vectorized": Recipe(binary_format="INT_32", orientation="VECTORIZED"),
    "float32": Recipe(binary_format="IEEE_FLOAT_32"),
    "float32-vectorized": Recipe(binary_format="IEEE_FLOAT_32", orientation="VECTORIZED"),
    "uint16": Recipe(binary_format="UINT_16"),
    "float64": Recipe(binary_format="IEEE_FLOAT_64"),
    "int16-big-endian": Recipe(big_endian=True),
    "float32-big-endian-vectorized": Recipe(
        binary_format="IEEE_FLOAT_32", big_endian=True, orientation="VECTORIZED"
    ),
    "version2": Recipe(version="2.0", common=("DataType=TIMEDOMAIN",), newline="\n"),
    "latin1": Recipe(codepage=None, encoding="latin-1", comment=COMMENT),
    "ansi": Recipe(codepage="ANSI", encoding="cp1252"),
    "utf8-mark": Recipe(encoding="utf-8-sig"),
    "old-layout": Recipe(units=(), codepage=None, data_points=False),
    "no-first-lines": Recipe(header_line=None, marker_line=None),
    "base-name": Recipe(data_name="$b.{suffix}", marker_name="$b.{suffix}"),
    "no-markers": Recipe(marker_name=None),
    "dat": Recipe(suffixes=("vhdr", "vmrk", "dat"), binary_format="IEEE_FLOAT_32"),
    "v-amp": Recipe(
        suffixes=("ahdr", "amrk", "eeg"),
        header_line="Brain Vision V-Amp Data Header File Version {version}",
        marker_line="Brain Vision V-Amp Data Marker File, Version {version}",
        hidden_channels=1,
    ),
    "v-amp-vectorized": Recipe(
        suffixes=("ahdr", "amrk", "eeg"), hidden_channels=1, orientation="VECTORIZED"
    ),
    "segments": Recipe(
        segment_points=20,
        markers=(
            *MARKERS,
            ("New Segment", "", 21, 1, 0, "20240301000100000000"),
            ("New Segment", "", 41, 1, 0, None),
        ),
    ),
    "text": Recipe(data_format="ASCII", skip_lines=1),
    "text-tabs-decimal-comma": Recipe(
        data_format="ASCII", decimal=",", separator="\t", skip_columns=1
    ),
    "text-commas": Recipe(data_format="ASCII", separator=", ", newline="\n"),
    "text-vectorized": Recipe(data_format="ASCII", orientation="VECTORIZED", skip_columns=1),
    "text-vectorized-decimal-comma": Recipe(
        data_format="ASCII", orientation="VECTORIZED", decimal=",", newline="\n", skip_lines=1
    ),
    "open-data": Recipe(opened=2),
    "open-data-vectorized": Recipe(opened=2, orientation="VECTORIZED"),
    "open-text": Recipe(opened=2, data_format="ASCII", suffixes=("vhdr", "vmrk", "dat")),
    "open-markers": Recipe(opened=1),
}
POINTS = 60


def sample_numbers(name: str) -> np.ndarray:
    """Stored numbers of a sample, as written; text holds four decimals of them."""
    recipe = RECIPES[name]
    if recipe.data_format == "ASCII":
        return np.round(stored_numbers(POINTS, 3, "IEEE_FLOAT_64"), 4)
    return stored_numbers(POINTS, 3, recipe.binary_format)


def write_sample(name: str, folder: Path) -> Path:
    return write(folder, RECIPES[name], sample_numbers(name))


def _write_large(recipe: Recipe, folder: Path) -> Path:
    wide = replace(
        recipe,
        names=tuple(f"E{i}" for i in range(64)),
        references=("",) * 64,
        resolutions=("0.1",) * 64,
        units=("µV",) * 64,
        coordinates=(),
    )
    return write_sparse(folder, wide, 1_000_000)


def line_starts(data: bytes) -> list[int]:
    """Beginnings of the lines of a text file."""
    return [0, *(np.flatnonzero(np.frombuffer(data, "u1") == 10) + 1).tolist()]


def samples() -> list[Sample]:
    """Small recordings, one per variant."""
    made = []
    for name, recipe in RECIPES.items():
        is_binary_data = recipe.opened == 2 and recipe.data_format == "BINARY"
        has_large = name in ("int16", "int16-vectorized")
        made.append(
            Sample(
                "brainvision",
                name,
                partial(write_sample, name),
                options={"segmented": True} if recipe.segment_points else {},
                boundaries=_data_boundaries if is_binary_data else line_starts,
                large=partial(_write_large, recipe) if has_large else None,
                states_length=is_binary_data and recipe.orientation == "VECTORIZED",
            )
        )
    return made


def _data_boundaries(data: bytes) -> list[int]:
    return [0, 2, 6, len(data) // 3, len(data) // 2, len(data) - 2]
