"""The 17 functions of the Neuroshare C interface, and loading a library that has them."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from ctypes import c_char_p, c_double, c_int32, c_uint32, c_void_p
from typing import Any, NamedTuple

from ephyrus.dll.find import explain
from ephyrus.errors import DLLUnusable

__all__ = ["DEMANDED", "PROTOTYPES", "Functions", "load_functions"]

_HANDLE, _ENTITY, _INDEX, _SIZE = c_uint32, c_uint32, c_uint32, c_uint32

# Arguments of each function. Pointers are untyped: the structures have two layouts, and an address
# within an array is cheaper to pass than a pointer object.
PROTOTYPES: dict[str, tuple[Any, ...]] = {
    "ns_GetLibraryInfo": (c_void_p, _SIZE),
    "ns_OpenFile": (c_char_p, c_void_p),
    "ns_GetFileInfo": (_HANDLE, c_void_p, _SIZE),
    "ns_CloseFile": (_HANDLE,),
    "ns_GetEntityInfo": (_HANDLE, _ENTITY, c_void_p, _SIZE),
    "ns_GetEventInfo": (_HANDLE, _ENTITY, c_void_p, _SIZE),
    # item; time, value, bytes of the buffer, bytes used
    "ns_GetEventData": (_HANDLE, _ENTITY, _INDEX, c_void_p, c_void_p, _SIZE, c_void_p),
    "ns_GetAnalogInfo": (_HANDLE, _ENTITY, c_void_p, _SIZE),
    # first item, items; continuous count, values
    "ns_GetAnalogData": (_HANDLE, _ENTITY, _INDEX, c_uint32, c_void_p, c_void_p),
    "ns_GetSegmentInfo": (_HANDLE, _ENTITY, c_void_p, _SIZE),
    "ns_GetSegmentSourceInfo": (_HANDLE, _ENTITY, c_uint32, c_void_p, _SIZE),
    # item; time, values, bytes of the buffer, samples, unit
    "ns_GetSegmentData": (_HANDLE, _ENTITY, _INDEX, c_void_p, c_void_p, _SIZE, c_void_p, c_void_p),
    "ns_GetNeuralInfo": (_HANDLE, _ENTITY, c_void_p, _SIZE),
    "ns_GetNeuralData": (_HANDLE, _ENTITY, _INDEX, c_uint32, c_void_p),
    "ns_GetIndexByTime": (_HANDLE, _ENTITY, c_double, c_int32, c_void_p),
    "ns_GetTimeByIndex": (_HANDLE, _ENTITY, _INDEX, c_void_p),
    "ns_GetLastErrorMsg": (c_void_p, _SIZE),
}

# All but the one without which a library can still be used.
DEMANDED = tuple(name for name in PROTOTYPES if name != "ns_GetLastErrorMsg")


Function = Callable[..., int]


class Functions(NamedTuple):
    """The functions of a library, by their names without ``ns_``."""

    GetLibraryInfo: Function
    OpenFile: Function
    GetFileInfo: Function
    CloseFile: Function
    GetEntityInfo: Function
    GetEventInfo: Function
    GetEventData: Function
    GetAnalogInfo: Function
    GetAnalogData: Function
    GetSegmentInfo: Function
    GetSegmentSourceInfo: Function
    GetSegmentData: Function
    GetNeuralInfo: Function
    GetNeuralData: Function
    GetIndexByTime: Function
    GetTimeByIndex: Function
    GetLastErrorMsg: Function | None


def load_functions(path: str | os.PathLike[str]) -> Functions:
    """Load a shared library and find its functions.

    Parameters
    ----------
    path : path-like or str
        The library. It is made absolute: a bare name would be looked for wherever the system does.

    Raises
    ------
    DLLUnusable
        If it cannot be loaded, or is no Neuroshare library.
    """
    path = os.path.abspath(path)  # noqa: PTH100 - Path.absolute keeps ".."
    reason = explain(path)
    if reason:
        raise DLLUnusable(path, reason)
    try:
        library = _loaded(path)
    except OSError as error:
        raise DLLUnusable(
            path,
            f"the system's loader says: {error}; if it misses another library, install that one "
            "too",
        ) from error
    found: dict[str, Any] = {name: _function(library, name) for name in PROTOTYPES}
    missing = [name for name in DEMANDED if found[name] is None]
    if len(missing) == len(DEMANDED):
        raise DLLUnusable(path, "it has none of the functions of a Neuroshare library")
    if missing:
        raise DLLUnusable(
            path,
            f"a Neuroshare library has {len(DEMANDED)} functions, and it lacks "
            f"{', '.join(missing)}; a newer version from the vendor may have all",
        )
    return Functions(**{name.removeprefix("ns_"): call for name, call in found.items()})


def _loaded(path: str) -> ctypes.CDLL:
    """Load a library with the calling convention of the platform."""
    if sys.platform == "win32" and sys.maxsize < 2**32:
        return ctypes.WinDLL(path)  # stdcall; 64-bit Windows has one convention only
    return ctypes.CDLL(path)


def _function(library: ctypes.CDLL, name: str) -> Function | None:
    """Give a function with its types set; None if the library lacks it."""
    try:
        function = getattr(library, name)
    except AttributeError:
        return None
    function.argtypes = PROTOTYPES[name]
    function.restype = c_int32
    return function  # type: ignore[no-any-return]  # a ctypes function pointer
