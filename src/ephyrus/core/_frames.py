"""Data objects as pandas and xarray objects, and back from pandas.

What a frame has no place for is in its ``attrs``: ``attrs["units"]`` gives units by column, and
``attrs["ephyrus"]`` the rest as plain lists and numbers, so that frames can be compared, joined
and stored like any other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import quantities as pq
from numpy.typing import NDArray

from ephyrus._shared.extras import optional_module
from ephyrus._shared.words import free_name
from ephyrus.core._framevalues import column_values, plain, restored
from ephyrus.core._labels import LabelledPoints
from ephyrus.core.analogsignal import AnalogSignal
from ephyrus.core.baseneo import check_annotations
from ephyrus.core.epoch import Epoch
from ephyrus.core.imagesequence import ImageSequence
from ephyrus.core.spiketrain import SpikeTrain
from ephyrus.core.units import UnitInfo, as_unit, inverse_unit, quantity, scalar_in, unit_of

__all__ = [
    "analogsignal_from",
    "data_array",
    "epoch_from",
    "event_from",
    "irregular_from",
    "points_frame",
    "signal_frame",
    "spiketrain_from",
]

KEY = "ephyrus"
EVEN = 1e-3  # of a sample: how far times may be from a constant rate
_OWN_COLUMNS = frozenset({"time", "duration", "label", "waveform"})


# --- xarray ---------------------------------------------------------------------------------


def data_array(obj: Any) -> Any:
    """Give a signal or an image sequence as a ``DataArray``; see `BaseSignal.to_xarray`."""
    xarray = optional_module("xarray", "xarray", f"{type(obj).__name__}.to_xarray")
    loaded = obj.load()
    is_image = isinstance(loaded, ImageSequence)
    dims = ("time", "row", "column") if is_image else ("time", "channel")
    times = loaded.times
    coords = {"time": ("time", np.array(times.magnitude), _units_of(times))}
    if is_image:
        coords |= _pixel_coords(loaded)
    coords |= _array_coords(loaded, dims[-1], {*coords, *dims})
    data = np.array(loaded.view(np.ndarray))
    return xarray.DataArray(data, coords, dims, loaded.name, _attributes(loaded))


def _units_of(values: Any) -> dict[str, str]:
    return {"units": unit_of(values).symbol} if isinstance(values, pq.Quantity) else {}


def _pixel_coords(images: ImageSequence) -> dict[str, Any]:
    """Give rows and columns as positions in space."""
    scale = images.spatial_scale
    return {
        dim: (dim, np.arange(size) * float(scale.magnitude), _units_of(scale))
        for dim, size in zip(("row", "column"), images.shape[1:], strict=True)
    }


def _array_coords(obj: Any, dim: str, taken: set[str]) -> dict[str, Any]:
    """Give array annotations as coordinates; names of channels are those of the channels."""
    coords: dict[str, Any] = {}
    if dim == "channel":
        coords[dim] = (dim, np.array(_channel_names(obj) or range(obj.shape[1])))
    for key, values in obj.array_annotations.items():
        if len(values) and not (key == "channel_names" and dim == "channel"):
            name = free_name(key, {*taken, *coords})
            coords[name] = (dim, np.array(values), _units_of(values))
    return coords


def _channel_names(obj: Any) -> list[str]:
    return [str(name) for name in obj.array_annotations.get("channel_names", ())]


def _attributes(obj: Any) -> dict[str, Any]:
    """Give what is one value for all as attributes that files can hold."""
    found: dict[str, Any] = {"units": obj._unit.symbol}
    names = ("sampling_rate", "spatial_scale")
    for name in names if isinstance(obj, AnalogSignal | ImageSequence) else ():
        value = getattr(obj, name, None)
        if value is not None:
            found[name] = float(value.magnitude)
            found[f"{name}_units"] = unit_of(value).symbol
    for name in ("description", "file_origin"):
        if getattr(obj, name):
            found[name] = getattr(obj, name)
    for key, value in obj.annotations.items():
        is_simple = isinstance(value, str | int | float | np.number)
        is_array = isinstance(value, np.ndarray) and not isinstance(value, pq.Quantity)
        found[free_name(key, found)] = value if is_simple or is_array else str(value)
    return found


# --- signals as frames ----------------------------------------------------------------------


def signal_frame(signal: Any) -> Any:
    """Give a signal as a ``DataFrame``; see `ChannelSignal.to_pandas`."""
    pandas = optional_module("pandas", "pandas", f"{type(signal).__name__}.to_pandas")
    loaded = signal.load()
    times = loaded.times
    columns = _columns(loaded)
    index = pandas.Index(np.array(times.magnitude), name="time")
    frame = pandas.DataFrame(loaded.view(np.ndarray), index=index, columns=columns, copy=True)
    symbol = loaded._unit.symbol
    frame.attrs["units"] = {"time": unit_of(times).symbol} | dict.fromkeys(columns, symbol)
    frame.attrs[KEY] = _common(loaded) | {
        "units": symbol,
        "dtype": loaded.dtype.str,
        "columns": columns,
        "array_annotations": plain(dict(loaded.array_annotations)),
    }
    if isinstance(loaded, AnalogSignal):
        frame.attrs[KEY] |= {
            "t_start": float(loaded.t_start.magnitude),
            "sampling_rate": float(loaded.sampling_rate.magnitude),
            "sampling_rate_units": unit_of(loaded.sampling_rate).symbol,
        }
    return frame


def _columns(signal: Any) -> list[Any]:
    """Name the columns of a frame after the channels, each name once."""
    names = _channel_names(signal)
    if not names:
        return list(range(signal.shape[1]))
    columns: list[str] = []
    for name in names:
        columns.append(free_name(name, {*columns, "time"}))
    return columns


def _common(obj: Any) -> dict[str, Any]:
    """Give the metadata that all objects have."""
    found = {
        name: getattr(obj, name)
        for name in ("name", "description", "file_origin")
        if getattr(obj, name) is not None
    }
    return {"class": type(obj).__name__, "annotations": plain(obj.annotations)} | found


def analogsignal_from(cls: Any, frame: Any, units: Any, time_units: Any, sampling_rate: Any) -> Any:
    """Make a signal of a frame; see `AnalogSignal.from_pandas`."""
    known = _known(frame)
    times, time_unit = _index_times(frame, time_units)
    t_start, rate = _sampling(times, time_unit, sampling_rate, known)
    new = cls(
        _frame_values(frame, known),
        units=_signal_unit(frame, units, known),
        t_start=quantity(t_start, time_unit),
        sampling_rate=rate,
    )
    return _completed(new, known, _channel_arrays(frame, known))


def irregular_from(cls: Any, frame: Any, units: Any, time_units: Any) -> Any:
    """Make a signal of a frame; see `IrregularlySampledSignal.from_pandas`."""
    known = _known(frame)
    times, time_unit = _index_times(frame, time_units)
    new = cls(
        quantity(times, time_unit),
        _frame_values(frame, known),
        units=_signal_unit(frame, units, known),
    )
    return _completed(new, known, _channel_arrays(frame, known))


def _known(frame: Any) -> dict[str, Any]:
    """Return what an object wrote into the frame that it became."""
    if not frame.columns.is_unique:
        raise ValueError("the columns of the frame must have different names")
    found = frame.attrs.get(KEY, {})
    return found if isinstance(found, dict) else {}


def _unit_named(frame: Any, label: Any, given: Any, argument: str) -> UnitInfo:
    """Return the unit of a column, as given or as the frame tells."""
    told = given if given is not None else frame.attrs.get("units", {}).get(label)
    if told is None:
        raise ValueError(
            f"the frame does not tell the unit of {label!r} (attrs['units']): give {argument}=..."
        )
    return as_unit(told)


def _signal_unit(frame: Any, given: Any, known: dict[str, Any]) -> UnitInfo:
    """Return the unit of all channels of a frame."""
    if given is not None:
        return as_unit(given)
    by_column = frame.attrs.get("units", {})
    told = {by_column.get(label, known.get("units")) for label in frame.columns}
    if not len(frame.columns):
        told = {known.get("units")}
    if len(told) != 1 or None in told:
        names = ", ".join(sorted(str(each) for each in told))
        raise ValueError(
            f"all columns need one unit, told by the frame's attrs['units'] or by units=...; "
            f"there is: {names}"
        )
    return as_unit(told.pop())


def _index_times(frame: Any, time_units: Any) -> tuple[NDArray[np.float64], UnitInfo]:
    """Return the index of a frame as times."""
    index = frame.index.to_numpy()
    if index.dtype.kind not in "iuf":
        raise ValueError(f"the index must be times as numbers, not of dtype {frame.index.dtype}")
    return index.astype(np.float64), _unit_named(frame, "time", time_units, "time_units")


def _frame_values(frame: Any, known: dict[str, Any]) -> NDArray[Any]:
    """Return the numbers of a frame (an array without columns cannot tell its dtype)."""
    values: NDArray[Any] = frame.to_numpy()
    return values if values.shape[1] else values.astype(np.dtype(known.get("dtype", "f8")))


def _sampling(
    times: NDArray[np.float64], unit: UnitInfo, given: Any, known: dict[str, Any]
) -> tuple[float, pq.Quantity]:
    """Return start and rate: as the frame tells, unless its rows have been chosen since.

    Raises
    ------
    ValueError
        If there is no constant rate that the times follow.
    TypeError
        If a rate is given without units.
    """
    if given is not None and not isinstance(given, pq.Quantity):
        raise TypeError(f"sampling_rate needs units, such as {given!r} * pq.Hz")
    per_time = inverse_unit(unit)
    start = float(times[0]) if len(times) else float(known.get("t_start", 0.0))
    rate = given
    if rate is None and "sampling_rate" in known:
        rate = quantity(known["sampling_rate"], as_unit(known["sampling_rate_units"]))
    if given is None and len(times) > 1 and not _follow(times, rate, per_time):
        span = float(times[-1] - times[0])
        rate = quantity((len(times) - 1) / span if span > 0 else np.nan, per_time)
    if rate is None:
        raise ValueError("the frame has too few rows to tell the rate: give sampling_rate=...")
    if not _follow(times, rate, per_time):
        raise ValueError(
            f"the times of the frame do not follow a constant rate{f' of {given}' if given else ''}"
            "; IrregularlySampledSignal.from_pandas takes any times"
        )
    return start, rate


def _follow(times: NDArray[np.float64], rate: Any, per_time: UnitInfo) -> bool:
    """Tell whether times follow a constant rate; not, if there is no rate."""
    if rate is None:
        return False
    per_sample = scalar_in(rate, per_time, "sampling_rate")
    if len(times) < 2:
        return True
    if not (np.isfinite(per_sample) and per_sample > 0):
        return False
    away = np.abs(times - (times[0] + np.arange(len(times)) / per_sample)).max()
    return bool(away <= EVEN / per_sample + 4 * np.spacing(np.abs(times[[0, -1]]).max()))


def _channel_arrays(frame: Any, known: dict[str, Any]) -> dict[str, Any]:
    """Return the array annotations of the columns that are there."""
    places = {label: place for place, label in enumerate(known.get("columns", ()))}
    labels = list(frame.columns)
    if all(label in places for label in labels):
        index = np.array([places[label] for label in labels], dtype=np.intp)
        arrays = {key: restored(value) for key, value in known["array_annotations"].items()}
        return {key: value[index] if len(value) else value for key, value in arrays.items()}
    named = labels and all(isinstance(label, str) for label in labels)
    return {"channel_names": np.array(labels)} if named else {}


def _completed(new: Any, known: dict[str, Any], arrays: dict[str, Any]) -> Any:
    """Give a new object the metadata that the frame tells."""
    for name in ("name", "description", "file_origin"):
        setattr(new, name, known.get(name))
    annotations = restored(known.get("annotations", {}))
    check_annotations(annotations)
    new.annotations = annotations
    new.array_annotations = arrays
    return new


# --- points in time as frames ---------------------------------------------------------------


def points_frame(obj: Any) -> Any:
    """Give spikes, events or epochs as a ``DataFrame``; see `PointViews.to_pandas`."""
    pandas = optional_module("pandas", "pandas", f"{type(obj).__name__}.to_pandas")
    with_waveforms = isinstance(obj, SpikeTrain) and obj.waveforms is not None
    loaded = obj.load(load_waveforms=True) if with_waveforms else obj.load()
    known = _common(loaded)
    columns: dict[str, Any] = {"time": np.array(loaded.view(np.ndarray))}
    units = {"time": loaded._unit.symbol}
    if isinstance(loaded, Epoch):
        columns["duration"] = np.array(loaded.durations.magnitude)
        units["duration"] = unit_of(loaded.durations).symbol
    if isinstance(loaded, LabelledPoints) and len(loaded._labels):
        columns["label"] = np.array(loaded._labels, dtype=object)
    if isinstance(loaded, SpikeTrain):
        known |= _train_facts(loaded, columns, units)
    known["array_annotations"] = _array_columns(loaded, columns, units)
    index = pandas.RangeIndex(len(loaded), name=loaded._items_name.removesuffix("s"))
    frame = pandas.DataFrame(columns, index=index, copy=True)
    frame.attrs["units"] = units
    frame.attrs[KEY] = known
    return frame


def _train_facts(
    train: SpikeTrain, columns: dict[str, Any], units: dict[str, str]
) -> dict[str, Any]:
    """Give what only spike trains have; their waveforms become a column of arrays."""
    rate, sweep = train.sampling_rate, train.left_sweep
    known = {
        "t_start": train._t_start,
        "t_stop": train._t_stop,
        "sampling_rate": None if rate is None else float(rate.magnitude),
        "sampling_rate_units": None if rate is None else unit_of(rate).symbol,
        "left_sweep": plain(sweep),
    }
    waveforms = train.waveforms
    if waveforms is None:
        return known
    values = np.asarray(waveforms)
    cells = np.empty(len(values), dtype=object)
    for spike, waveform in enumerate(values):
        cells[spike] = np.array(waveform)
    columns["waveform"] = cells
    units |= {"waveform": _units_of(waveforms)["units"]} if _units_of(waveforms) else {}
    return known | {"waveform_shape": list(values.shape[1:]), "waveform_dtype": values.dtype.str}


def _array_columns(obj: Any, columns: dict[str, Any], units: dict[str, str]) -> dict[str, Any]:
    """Add array annotations as columns; tell which is where, or those that are to be filled."""
    told: dict[str, Any] = {}
    for key, values in obj.array_annotations.items():
        array = np.asarray(values)
        if len(array) != len(obj):
            told[key] = {"values": plain(values)}
            continue
        column = free_name(key, columns)
        text = array.dtype.kind in "US"
        columns[column] = array.astype(object if text else array.dtype.newbyteorder("="))
        told[key] = {"column": column, "dtype": array.dtype.str}
        if isinstance(values, pq.Quantity):
            units[column] = unit_of(values).symbol
    return told


def _item_arrays(frame: Any, known: dict[str, Any]) -> dict[str, Any]:
    """Return array annotations: all columns that have no other meaning."""
    told = known.get("array_annotations", {})
    keys = {each["column"]: (key, each["dtype"]) for key, each in told.items() if "column" in each}
    own = _OWN_COLUMNS - keys.keys()
    arrays = {key: restored(each["values"]) for key, each in told.items() if "values" in each}
    for label in frame.columns:
        if label in own:
            continue
        key, dtype = keys.get(label, (str(label), None))
        values: Any = column_values(frame[label], dtype)
        symbol = frame.attrs.get("units", {}).get(label)
        arrays[key] = values if symbol is None else quantity(values, as_unit(symbol))
    return arrays


def _times_of(frame: Any, units: Any) -> tuple[NDArray[Any], UnitInfo]:
    """Return the column of times and their unit."""
    if "time" not in frame.columns:
        names = ", ".join(map(repr, frame.columns)) or "none"
        raise ValueError(f"the frame needs a column 'time'; its columns are: {names}")
    return frame["time"].to_numpy(), _unit_named(frame, "time", units, "units")


def _labels_of(frame: Any) -> Any:
    return column_values(frame["label"], "U") if "label" in frame.columns else None


def event_from(cls: Any, frame: Any, units: Any) -> Any:
    """Make an Event of a frame; see `Event.from_pandas`."""
    known = _known(frame)
    times, unit = _times_of(frame, units)
    new = cls(times, labels=_labels_of(frame), units=unit)
    return _completed(new, known, _item_arrays(frame, known))


def epoch_from(cls: Any, frame: Any, units: Any) -> Any:
    """Make an Epoch of a frame; see `Epoch.from_pandas`."""
    known = _known(frame)
    times, unit = _times_of(frame, units)
    durations = None
    if "duration" in frame.columns:
        told = frame.attrs.get("units", {}).get("duration", unit)
        durations = quantity(frame["duration"].to_numpy(), as_unit(told))
    new = cls(times, durations=durations, labels=_labels_of(frame), units=unit)
    return _completed(new, known, _item_arrays(frame, known))


def spiketrain_from(cls: Any, frame: Any, t_stop: Any, t_start: Any, units: Any) -> Any:
    """Make a SpikeTrain of a frame; see `SpikeTrain.from_pandas`."""
    known = _known(frame)
    times, unit = _times_of(frame, units)
    t_stop = known.get("t_stop") if t_stop is None else t_stop
    if t_stop is None:
        raise ValueError("the frame does not tell the end of the spike train: give t_stop=...")
    t_start = known.get("t_start", 0.0) if t_start is None else t_start
    rate = known.get("sampling_rate", 1.0)
    new = cls(
        times,
        t_stop,
        units=unit,
        dtype=times.dtype,
        t_start=t_start,
        waveforms=_waveforms_of(frame, known),
        sampling_rate=rate and quantity(rate, as_unit(known.get("sampling_rate_units", "Hz"))),
        left_sweep=restored(known.get("left_sweep")),
    )
    return _completed(new, known, _item_arrays(frame, known))


def _waveforms_of(frame: Any, known: dict[str, Any]) -> Any:
    """Return waveforms as one array; None if there are none."""
    if "waveform" not in frame.columns:
        return None
    cells: Iterable[Any] = frame["waveform"].tolist()
    values = np.array([np.asarray(cell) for cell in cells], dtype=known.get("waveform_dtype"))
    if not len(values):
        values = values.reshape(0, *known.get("waveform_shape", (0, 0)))
    symbol = frame.attrs.get("units", {}).get("waveform")
    return values if symbol is None else quantity(values, as_unit(symbol))
