"""The tasks of child processes by name."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ephyrus.folders import without_companions
from ephyrus.service.files.canonical import StoredArrayInfo
from ephyrus.service.files.inside.archives import UnpackLimits, unpack
from ephyrus.service.files.inside.arrays import (
    ALWAYS_ALLOWED,
    ArrayLimits,
    NotAnArray,
    copy_array,
    is_hdf5,
)
from ephyrus.service.files.inside.csvlines import find_lines, write_line
from ephyrus.service.files.inside.kinds import is_archive, kind_of
from ephyrus.service.files.inside.manifest import Manifest
from ephyrus.service.files.inside.odml import convert_odml
from ephyrus.service.files.inside.recordings import convert_recording, export_recording
from ephyrus.service.files.kinds import ARRAY, UNKNOWN, ZIP
from ephyrus.service.files.nursery import Refused

__all__ = ["perform"]


def perform(request: Mapping[str, Any]) -> dict[str, Any]:
    """Do a task; gives its result, or why the file is refused."""
    warnings.simplefilter("ignore")  # nobody reads them here; problems of files are in results
    try:
        return {"result": _TASKS[request["task"]](request)}
    except Refused as error:
        return {"refused": str(error)}


def _look(request: Mapping[str, Any]) -> dict[str, Any]:
    """Tell what a file is; an array is copied at once."""
    path = Path(request["path"])
    note = ""
    # What lies in an archive 512 bytes after its beginning may be HDF5, with a "user block".
    if is_hdf5(path, at_start=is_archive(path)):
        limits = ArrayLimits(request["most"], request["ratio"])
        target = Path(request["folder"]) / "array"
        try:
            return {
                "file_type": ARRAY,
                "format": None,
                "mime": "application/x-hdf",
                "array": _described(copy_array(path, target, limits)),
            }
        except NotAnArray as error:
            note = f"not an array: {error}"
        except Refused as error:
            note = f"refused as an array: {error}"
            return {"file_type": UNKNOWN, "format": None, "mime": "application/x-hdf", "note": note}
    return {**kind_of(path), "note": note}


def _mains(request: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out files that belong to others of the list."""
    paths = [str(path) for path in request["paths"]]
    return {"paths": without_companions(paths)}


def _described(info: StoredArrayInfo) -> dict[str, Any]:
    return {
        "offset": info.offset,
        "dtype": info.dtype,
        "shape": list(info.shape),
        "sorted": info.sorted,
        "digest": info.digest,
        "size": info.size,
    }


def _room(request: Mapping[str, Any]) -> int:
    """Give the bytes that may come out of a file, by its size and that of what lies beside it."""
    size = sum(path.stat().st_size for path in Path(request["path"]).parent.iterdir())
    return min(int(request["most"]), max(ALWAYS_ALLOWED, int(request["ratio"]) * size))


def _manifest(request: Mapping[str, Any]) -> Manifest:
    return Manifest(Path(request["folder"]), _room(request))


def _convert(request: Mapping[str, Any]) -> dict[str, Any]:
    """Copy a recording into objects and arrays."""
    with _manifest(request) as manifest:
        problems = convert_recording(Path(request["path"]), request["format"], manifest)
        return {"objects": manifest.count, "problems": problems}


def _odml(request: Mapping[str, Any]) -> dict[str, Any]:
    """Turn an odML document into objects."""
    with _manifest(request) as manifest:
        convert_odml(Path(request["path"]), manifest)
        return {"objects": manifest.count, "problems": []}


def _csv(request: Mapping[str, Any]) -> dict[str, Any]:
    """Turn each line of a file into an analog signal of one block and segment."""
    path = Path(request["path"])
    with _manifest(request) as manifest:
        lines, separator = find_lines(path)
        manifest.add("block", "block", attributes={"name": path.name})
        segment = {"name": path.name}
        manifest.add("segment", "segment", attributes=segment, parents={"block": "block"})
        for number, line in enumerate(lines):
            signal = _line_signal(path, line, separator, manifest, number, request["options"])
            manifest.add("analogsignal", ("signal", number), **signal)
        return {"objects": manifest.count, "problems": []}


def _line_signal(
    path: Path, line: Any, separator: bytes, manifest: Manifest, number: int, options: Any
) -> dict[str, Any]:
    """Copy the values of a line; gives the signal that they are of."""
    array = manifest.array_of(
        (line.count,), lambda writer: write_line(path, line, separator, writer)
    )
    name = line.name or f"line {number + 1}"
    manifest.add("datafile", ("file", number), attributes={"name": name}, array=array)
    return {
        "attributes": {"name": name},
        "quantities": {
            "sampling_rate": (options["sampling_rate"], options["sampling_rate_units"]),
            "t_start": (options["t_start"], options["t_start_units"]),
        },
        "arrays": {"signal": (("file", number), options["units"])},
        "parents": {"segment": "segment"},
    }


def _unpack(request: Mapping[str, Any]) -> dict[str, Any]:
    """Unpack an archive."""
    limits = UnpackLimits(request["files"], request["most"], request["ratio"])
    path, folder = Path(request["path"]), Path(request["folder"])
    unpack(path, folder, limits, is_zip=request["file_type"] == ZIP)
    return {}


def _export(request: Mapping[str, Any]) -> dict[str, Any]:
    """Write a recording as NIX."""
    path, target = Path(request["path"]), Path(request["folder"]) / "export.nix"
    return {"losses": export_recording(path, request["format"], target, _room(request))}


_TASKS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "look": _look,
    "mains": _mains,
    "convert": _convert,
    "odml": _odml,
    "csv": _csv,
    "unpack": _unpack,
    "export": _export,
}
