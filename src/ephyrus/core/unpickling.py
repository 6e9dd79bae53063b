"""Unpickling that cannot run code: the object model, numpy arrays, quantities, plain values.

A pickle can name any function and have it called. Here every name outside the object model is
looked up in a table; behind each stands a function that checks what it is given, so that a name
which is admitted cannot be called to allocate, evaluate or change anything else.
"""

from __future__ import annotations

import collections
import copyreg
import datetime
import decimal
import fractions
import importlib
import io
import pickle
import pickletools
import re
from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar

import numpy as np
import quantities as pq
from numpy.typing import NDArray
from quantities.dimensionality import Dimensionality

from ephyrus.core.units import UnitInfo, as_unit, parse_unit

__all__ = ["DAMAGE", "DamagedPickleError", "RefusedPickleError", "loads"]

_CORE = "ephyrus.core"
_COMPOUND = re.compile(r"\s*([0-9.]+(?:[eE][+-]?[0-9]+)?)\s*\*\s*(.+)")
_UNIT_CLASSES = (
    "UnitQuantity", "IrreducibleUnit", "UnitCurrency", "UnitCurrent", "UnitInformation",
    "UnitLength", "UnitLuminousIntensity", "UnitMass", "UnitSubstance", "UnitTemperature",
    "UnitTime", "Dimensionless", "UnitConstant",
)  # fmt: skip
DAMAGE = (
    pickle.UnpicklingError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    DeprecationWarning,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    RecursionError,
    SystemError,
    TypeError,
    ValueError,
)
"""What unpickling a damaged pickle, or using the objects that come out of it, may raise."""


class RefusedPickleError(Exception):
    """A pickle names something that is not part of the object model."""


class DamagedPickleError(Exception):
    """A pickle is cut, or its contents cannot be true."""


def loads(data: bytes) -> Any:
    """Unpickle objects of the object model without running code.

    Parameters
    ----------
    data : bytes
        One pickle of protocol 2 to 5.

    Returns
    -------
    object

    Raises
    ------
    RefusedPickleError
        If it names anything outside the object model, numpy arrays, quantities and plain
        containers and dates; the message has the name.
    DamagedPickleError
        If it is cut or damaged.
    """
    _check_opcodes(data)
    try:
        return _Unpickler(io.BytesIO(data)).load()
    except DAMAGE as error:
        raise DamagedPickleError(f"{type(error).__name__}: {error}") from error


def _check_opcodes(data: bytes) -> None:
    """Walk the opcodes without executing them: every length must fit the bytes that are there.

    The unpickler allocates what a length claims before it reads on.
    """
    try:
        collections.deque(pickletools.genops(data), maxlen=0)
    except (ValueError, IndexError, DeprecationWarning) as error:  # odd escapes in texts warn
        raise DamagedPickleError(str(error)) from error


class _Unpickler(pickle._Unpickler):  # its steps are not in the stubs: hence the ignores
    """An unpickler that looks every name up in a table, and gives state to instances only.

    The one written in Python: its steps can be overridden.
    """

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)

    def load_build(self) -> None:
        """Refuse state for a class or function: it would change the package itself."""
        if callable(self.stack[-2]):  # type: ignore[attr-defined]
            raise pickle.UnpicklingError("it sets attributes of a class or function")
        super().load_build()  # type: ignore[misc]

    dispatch[pickle.BUILD[0]] = load_build

    def find_class(self, module: str, name: str) -> Any:
        admitted = _admitted().get((module.replace("numpy._core", "numpy.core"), name))
        if admitted is not None:
            return admitted
        if module == _CORE or module.startswith(f"{_CORE}."):
            found = getattr(importlib.import_module(module), name, None)
            if _is_of_model(found, module, name):
                return found
        raise RefusedPickleError(f"{module}.{name}")

    def persistent_load(self, identifier: Any) -> Any:
        raise pickle.UnpicklingError("it refers to objects outside the file")


def _is_of_model(found: Any, module: str, name: str) -> bool:
    """Tell whether a name of the core is a class, or a function that recreates its objects."""
    from ephyrus.core.baseneo import BaseNeo

    if isinstance(found, type):
        return issubclass(found, BaseNeo) or name in ("ArrayDict", "ObjectList", "SpikeTrainList")
    is_maker = name.startswith(("_rebuild", "_restore"))
    return is_maker and callable(found) and found.__module__ == module


class _Ndarray:
    """Stands for ``numpy.ndarray``: unlike it, this cannot be called to allocate an array."""


class _Dimensions(dict[Any, Any]):
    """Stands for `Dimensionality` while its entries arrive."""


class _Quantity(pq.Quantity):  # type: ignore[misc]  # quantities has no usable types
    """A Quantity whose state is still to come."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        *array_state, dimensions = state
        np.ndarray.__setstate__(self, tuple(array_state))
        self._dimensionality = _unit_of_dimensions(dimensions).dimensionality.copy()
        self.__class__ = pq.Quantity


def _empty_array(kind: Any, shape: Any, dtype: Any) -> NDArray[Any]:
    """Make the empty array that numpy's pickles begin with; its state follows."""
    if kind is not _Ndarray or tuple(shape) != (0,):
        raise pickle.UnpicklingError("an array that does not begin empty")
    return np.ndarray((0,), "b")


def _empty_quantity(kind: Any, base: Any, shape: Any, dtype: Any) -> pq.Quantity:
    """Make the empty Quantity that pickles of quantities begin with; its state follows."""
    return _empty_array(base, shape, dtype).view(_Quantity)


def _scalar(dtype: np.dtype[Any], raw: bytes = b"") -> Any:
    """Make a numpy scalar of its bytes."""
    if dtype.hasobject or len(raw) != dtype.itemsize:
        raise pickle.UnpicklingError("a numpy scalar of another size than its type")
    return np.frombuffer(raw, dtype, 1)[0]


def _from_buffer(buffer: Any, dtype: np.dtype[Any], shape: Any, order: str) -> NDArray[Any]:
    """Make an array on a buffer, as numpy does with protocol 5."""
    if dtype.hasobject:
        raise pickle.UnpicklingError("an array of objects")
    array = np.frombuffer(bytearray(buffer), dtype)
    return array.reshape(shape, order="F" if order == "F" else "C")


def _dtype(text: Any, *flags: Any) -> np.dtype[Any]:
    """Make a numpy type; types of objects are refused."""
    made: np.dtype[Any] = np.dtype(text)
    if made.hasobject:
        raise pickle.UnpicklingError("an array of objects")
    return made


def _bytes_of_text(text: str, encoding: str) -> bytes:
    """Give bytes that protocol 2 wrote as text."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes in the encoding {encoding!r}")
    return text.encode("latin-1")


def _known_unit(name: str, *definition: Any) -> Any:
    """Give a copy of the unit of that name; definitions in the file are not used."""
    unit = _units().get(name)
    if unit is None:
        raise pickle.UnpicklingError(f"a unit {name!r} that quantities does not have")
    twin = np.array(1.0).view(type(unit))  # a state that follows cannot change the shared unit
    twin.__dict__.update(unit.__dict__)
    return twin


def _compound_unit(text: str) -> Any:
    """Give a unit such as ``0.5*uV``; our own reader of unit texts must understand it."""
    match = _COMPOUND.fullmatch(text)
    parse_unit(match[2] if match else text)
    return pq.CompoundUnit(text)


def _unit_info(text: str) -> Any:
    """Give the unit that an object of the core was pickled with."""
    return as_unit(parse_unit(text))


def _unit_of_dimensions(dimensions: _Dimensions) -> UnitInfo:
    """Give the unit that the dimensions of a pickled Quantity mean."""
    units = {as_unit(unit).unit: float(power) for unit, power in dimensions.items()}
    return as_unit(Dimensionality(units))


@cache
def _units() -> dict[str, Any]:
    """Give the units of quantities by their names."""
    return {unit.name: unit for unit in vars(pq).values() if isinstance(unit, pq.UnitQuantity)}


@cache
def _admitted() -> dict[tuple[str, str], Callable[..., Any]]:
    """List every name outside the classes of the core that a pickle may use."""
    names: dict[tuple[str, str], Callable[..., Any]] = {
        ("numpy.core.multiarray", "_reconstruct"): _empty_array,
        ("numpy.core.multiarray", "scalar"): _scalar,
        ("numpy.core.numeric", "_frombuffer"): _from_buffer,
        ("numpy", "ndarray"): _Ndarray,
        ("numpy", "dtype"): _dtype,
        ("quantities.quantity", "Quantity"): _Quantity,
        ("quantities.quantity", "_reconstruct_quantity"): _empty_quantity,
        ("quantities.dimensionality", "Dimensionality"): _Dimensions,
        ("quantities.unitquantity", "CompoundUnit"): _compound_unit,
        (f"{_CORE}.units", "as_unit"): _unit_info,
        (f"{_CORE}.units", "_intern"): _unit_of_dimensions,
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("copyreg", "__newobj__"): copyreg.__newobj__,  # type: ignore[attr-defined]  # not in stubs
        ("decimal", "Decimal"): decimal.Decimal,
        ("fractions", "Fraction"): fractions.Fraction,
        ("builtins", "complex"): complex,
        ("builtins", "set"): set,
        ("builtins", "frozenset"): frozenset,
        ("builtins", "bytearray"): bytes,
        ("_codecs", "encode"): _bytes_of_text,
    }
    for name in _UNIT_CLASSES:
        names["quantities.unitquantity", name] = _known_unit
    for name in ("date", "datetime", "time", "timedelta", "timezone"):
        names["datetime", name] = getattr(datetime, name)
    return names
