"""Header of ABF1: fields at fixed offsets, 2048 bytes before version 1.6, 6144 from then on."""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import UnsupportedVersionError
from ephyrus.formats.axon import common
from ephyrus.formats.axon.layout import (
    BLOCK_BYTES,
    EPOCH,
    EPOCH_OFF,
    EPOCHS_PER_DAC,
    EXTENDED_FROM,
    HEAD1,
    HEAD1_BYTES,
    HEAD1_EXTENDED_BYTES,
    SYNCH,
    TAG,
    Dac,
    Digital,
    Header,
    UserList,
    offset_of,
)
from ephyrus.recording import (
    ByteSource,
    Channels,
    Opening,
    corrupt,
    fixed_text,
    read_entries,
)

MAX_CHANNELS = 16
WAVEFORM_DACS = 2  # of the four analog outputs, the two that play epochs


def parse(opening: Opening, source: ByteSource) -> Header:
    """Read the header of an ABF1 file.

    Parameters
    ----------
    opening : Opening
        Takes notes and decides about damage.
    source : ByteSource
        The file; its first four bytes were checked.

    Returns
    -------
    Header

    Raises
    ------
    TruncatedError
        If the file ends inside the header.
    CorruptError
        If a value cannot be true.
    UnsupportedVersionError
        If the version is not 1.x.
    """
    head = _head(source)
    channel_count = int(head["channels"])
    if not 1 <= channel_count <= MAX_CHANNELS:
        corrupt(
            source,
            f"found {channel_count}, expected 1 to {MAX_CHANNELS}",
            offset=offset_of(HEAD1, "channels"),
            field="channels recorded",
        )
    physical = _physical_numbers(head, channel_count)
    dtype = common.sample_dtype(source, int(head["data_format"]), offset_of(HEAD1, "data_format"))
    rate = common.sampling_rate(
        source, float(head["interval"]), channel_count, offset_of(HEAD1, "interval")
    )
    clock, unit = common.synch_clock(
        opening, source, float(head["synch_unit"]), rate, channel_count
    )
    offset, count = _data_extent(opening, source, head, dtype)
    dacs = _dacs(opening, source, head)
    synch = _entries(opening, source, head, ("synch_block", "synch_count"), SYNCH, "synch array")
    return Header(
        version=_version(head),
        mode=common.checked_mode(opening, source, int(head["mode"])),
        channels=_channels(opening, source, head, physical, dtype),
        rate=rate,
        synch_clock=clock,
        synch_unit=unit,
        data_offset=offset,
        sample_count=count,
        dtype=dtype,
        sweeps=int(head["sweeps"]),
        samples_per_sweep=int(head["samples_per_sweep"]),
        sweeps_per_run=int(head["sweeps_per_run"]),
        start_to_start=common.start_to_start(opening, source, float(head["start_to_start"])),
        synch=synch,
        synch_lost=bool(head["synch_block"] and head["synch_count"]) and not len(synch),
        tags=_entries(opening, source, head, ("tag_block", "tags"), TAG, "tag section"),
        dacs=dacs,
        digital=_digital(head, dacs),
        recorded=_recorded(opening, source, head),
        creator=fixed_text(head["creator"]),
        annotations=_annotations(head),
    )


def _head(source: ByteSource) -> np.void:
    """Read the header; fields that this version does not have are 0.

    The stored header size is not looked at: it holds other numbers in files of some programs. The
    data may begin inside what later versions call header, so that the data pointer limits it too.
    """
    head: np.void = read_entries(source, 0, HEAD1, 1, "ABF1 head", entry_bytes=HEAD1_BYTES)[0]
    version = float(head["version"])
    if not 1 <= version < 2:
        raise UnsupportedVersionError(
            source.name,
            f"ABF1 version {version:g}; versions 1.0 to 1.99 are read",
            offset=offset_of(HEAD1, "version"),
            field="version",
        )
    data_start = int(head["data_block"]) * BLOCK_BYTES
    if version < EXTENDED_FROM or HEAD1_BYTES <= data_start < HEAD1_EXTENDED_BYTES:
        return head
    whole: np.void = read_entries(source, 0, HEAD1, 1, "ABF1 head")[0]
    return whole


def _version(head: np.void) -> str:
    return f"{float(head['version']):.2f}"


def _physical_numbers(head: np.void, count: int) -> NDArray[np.int64]:
    """Physical number of each interleaved channel; positions if the sequence cannot be true."""
    sequence: NDArray[np.int64] = head["sampling_sequence"][:count].astype(np.int64)
    possible = np.all((sequence >= 0) & (sequence < MAX_CHANNELS))
    if possible and len(np.unique(sequence)) == count:
        return sequence
    return np.arange(count)


def _data_extent(
    opening: Opening, source: ByteSource, head: np.void, dtype: np.dtype[Any]
) -> tuple[int, int]:
    """First byte and number of samples; none if there is no data block (a protocol)."""
    block, count, ignored = int(head["data_block"]), int(head["samples"]), int(head["ignored"])
    if block == 0:
        return 0, 0
    if block < 0 or count < 0:
        corrupt(
            source,
            f"{count} samples from block {block}",
            offset=offset_of(HEAD1, "samples"),
            field="data section",
        )
    if not 0 <= ignored <= count:
        opening.note(
            f"{ignored} of {count} samples are to be ignored at the front; none are",
            path=source.name,
            offset=offset_of(HEAD1, "ignored"),
            field="samples to ignore",
        )
        ignored = 0
    return block * BLOCK_BYTES + ignored * dtype.itemsize, count - ignored


def _entries(
    opening: Opening,
    source: ByteSource,
    head: np.void,
    fields: tuple[str, str],
    dtype: np.dtype[Any],
    name: str,
) -> NDArray[Any]:
    """Read a table that two header fields (block and count) locate."""
    block, count = (int(head[field]) for field in fields)
    return common.optional_entries(opening, source, block * BLOCK_BYTES, dtype, count, name)


def _channels(
    opening: Opening,
    source: ByteSource,
    head: np.void,
    physical: NDArray[np.int64],
    dtype: np.dtype[Any],
) -> Channels:
    gain: Any = 1.0
    offset: Any = 0.0
    if dtype.kind == "i":
        names = (
            "scale_factor",
            "signal_gain",
            "programmable_gain",
            "telegraph_gain",
            "instrument_offset",
            "signal_offset",
        )
        gain, offset = common.gains_and_offsets(
            opening,
            source,
            {name: head[name][physical] for name in names},
            adc_range=float(head["adc_range"]),
            adc_resolution=float(head["adc_resolution"]),
            telegraph_on=head["telegraph_enable"][physical] == 1,
        )
    return Channels.table(
        [fixed_text(head["adc_names"][p]) or f"ch{k}" for k, p in enumerate(physical)],
        ids=common.unique_ids(physical),
        units=[fixed_text(head["adc_units"][p]) for p in physical],
        gain=gain,
        offset=offset,
        extra={
            "physical_adc": physical,
            "lowpass": common.doubles(head["lowpass"][physical]),
            "highpass": common.doubles(head["highpass"][physical]),
        },
    )


def _dacs(opening: Opening, source: ByteSource, head: np.void) -> tuple[Dac, ...]:
    found = []
    for number in range(len(head["dac_names"])):
        plain = Dac(
            number=number,
            name=fixed_text(head["dac_names"][number]),
            units=fixed_text(head["dac_units"][number]),
            holding=float(head["dac_holding"][number]),
        )
        found.append(
            _with_waveform(opening, source, head, plain) if number < WAVEFORM_DACS else plain
        )
    return tuple(found)


def _with_waveform(opening: Opening, source: ByteSource, head: np.void, plain: Dac) -> Dac:
    number = plain.number
    return Dac(
        number=number,
        name=plain.name,
        units=plain.units,
        holding=plain.holding,
        source=int(head["source"][number]) if head["enable"][number] else 0,
        inter_sweep=bool(head["inter_sweep"][number] == 1),
        epochs=_epochs(head, number),
        file_name=common.bare_name(fixed_text(head["file_paths"][number])),
        file_scale=float(head["file_scale"][number]),
        file_offset=float(head["file_offset"][number]),
        user_list=_user_list(opening, source, head, number),
    )


def _epochs(head: np.void, dac: int) -> NDArray[Any]:
    part = slice(dac * EPOCHS_PER_DAC, (dac + 1) * EPOCHS_PER_DAC)
    epochs = np.zeros(EPOCHS_PER_DAC, EPOCH)
    epochs["number"] = np.arange(EPOCHS_PER_DAC)
    epochs["dac"] = dac
    names = (
        "kind",
        "level",
        "level_increment",
        "duration",
        "duration_increment",
        "period",
        "width",
    )
    for name in names:
        epochs[name] = head[name][part]
    active: NDArray[Any] = epochs[epochs["kind"] != EPOCH_OFF]
    return active


def _user_list(opening: Opening, source: ByteSource, head: np.void, number: int) -> UserList | None:
    if head["list_enable"][number] != 1:
        return None
    return common.user_list(
        opening,
        source,
        parameter=int(head["list_parameter"][number]),
        repeat=bool(head["list_repeat"][number]),
        text=fixed_text(head["list_values"][number]),
    )


def _digital(head: np.void, dacs: tuple[Dac, ...]) -> Digital | None:
    active = int(head["active_dac"])
    if not head["digital_enable"] or not 0 <= active < WAVEFORM_DACS:
        return None
    if not len(dacs[active].epochs):
        return None
    return Digital(
        holding=int(head["digital_holding"]),
        inter_sweep=bool(head["digital_inter_sweep"] == 1),
        values={number: int(value) for number, value in enumerate(head["digital_values"])},
        trains={},
        dac=dacs[active],
    )


def _recorded(opening: Opening, source: ByteSource, head: np.void) -> Any:
    milliseconds = int(head["milliseconds"])
    fraction = milliseconds / 1000 if 0 <= milliseconds < 1000 else 0.0
    seconds = int(head["time"]) + fraction
    return common.recording_time(opening, source, int(head["date"]), seconds)


def _annotations(head: np.void) -> dict[str, Any]:
    comment = fixed_text(head["comment"]) or fixed_text(head["old_comment"])
    return {
        "abf_version": _version(head),
        "protocol_path": fixed_text(head["protocol_path"]),
        "file_comment": comment,
        "creator": fixed_text(head["creator"]),
        "creator_version": ".".join(str(int(part)) for part in head["creator_version"]),
        "operation_mode": common.mode_name(int(head["mode"])),
        "experiment_type": common.experiment_type(int(head["experiment_type"])),
        "guid": str(uuid.UUID(bytes_le=head["guid"].tobytes())),
    }
