"""Header of ABF2: a head of 512 bytes, and sections that it locates."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import CorruptError, FormatError
from ephyrus.formats.axon import common
from ephyrus.formats.axon.layout import (
    ADC,
    BLOCK_BYTES,
    DAC,
    DIGITAL_EPOCH,
    EPOCH,
    EPOCH_OFF,
    HEAD2,
    PROTOCOL,
    SECTIONS,
    STRINGS_HEAD_BYTES,
    STRINGS_MAGIC,
    SYNCH,
    TAG,
    USER_LIST,
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
    read_struct,
)


class _Sections:
    """Tables of the file by name; `lost` are those that were read in part only."""

    def __init__(self, opening: Opening, source: ByteSource, entries: NDArray[Any]) -> None:
        self._opening = opening
        self._source = source
        self.lost: set[str] = set()
        self._places = {
            name: (
                int(entry["block"]) * BLOCK_BYTES,
                int(entry["entry_bytes"]),
                int(entry["count"]),
            )
            for name, entry in zip(SECTIONS, entries, strict=True)
        }

    def place(self, name: str) -> tuple[int, int, int]:
        """Offset (0: absent), bytes per entry, number of entries."""
        return self._places[name]

    def required(self, name: str, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Read a table without which nothing can be read."""
        offset, entry_bytes, count = self._places[name]
        if offset == 0 or count <= 0:
            corrupt(self._source, "the section is missing", field=f"{name} section")
        return read_entries(
            self._source, offset, dtype, count, f"{name} section", entry_bytes=entry_bytes
        )

    def optional(self, name: str, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Read a table that the samples do not need."""
        offset, entry_bytes, count = self._places[name]
        field = f"{name} section"
        entries = common.optional_entries(
            self._opening, self._source, offset, dtype, count, field, entry_bytes=entry_bytes
        )
        if offset and len(entries) != count:
            self.lost.add(name)
        return entries


class _Strings:
    """The strings section; index 0 and indices out of range give an empty text."""

    def __init__(self, opening: Opening, source: ByteSource, place: tuple[int, int, int]) -> None:
        self._pieces: list[bytes] = []
        self.lost = False
        offset, length, _ = place
        if offset == 0:
            return
        try:
            raw = source.read_at(offset, length, field="strings section")
            if raw[:4] != STRINGS_MAGIC:
                raise CorruptError(
                    source.name,
                    f"it begins with {raw[:4]!r}, expected {STRINGS_MAGIC!r}",
                    offset=offset,
                    field="strings section",
                )
        except FormatError as error:
            opening.damaged(error)
            self.lost = True
            return
        self._pieces = raw[STRINGS_HEAD_BYTES:].split(b"\0")

    def __getitem__(self, index: int) -> str:
        return fixed_text(self._pieces[index - 1]) if 0 < index <= len(self._pieces) else ""


def parse(opening: Opening, source: ByteSource) -> Header:
    """Read the header of an ABF2 file.

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
        If the file ends inside a section.
    CorruptError
        If a value cannot be true.
    """
    head = read_struct(source, 0, HEAD2, "ABF2 head")
    sections = _Sections(opening, source, head["sections"])
    strings = _Strings(opening, source, sections.place("strings"))
    protocol = sections.required("protocol", PROTOCOL)[0]
    adcs = sections.required("adc", ADC)
    dtype = common.sample_dtype(source, int(head["data_format"]), offset_of(HEAD2, "data_format"))
    data_offset, sample_count = _data_extent(source, sections, dtype)
    interval_offset = sections.place("protocol")[0] + offset_of(PROTOCOL, "interval")
    rate = common.sampling_rate(source, float(protocol["interval"]), 1, interval_offset)
    clock, unit = common.synch_clock(
        opening, source, float(protocol["synch_unit"]), rate, len(adcs)
    )
    dacs = _dacs(opening, source, sections, strings)
    synch = sections.optional("synch_array", SYNCH)
    return Header(
        version=_version(head["version"]),
        mode=common.checked_mode(opening, source, int(protocol["mode"])),
        channels=_channels(opening, source, protocol, adcs, strings, dtype),
        rate=rate,
        synch_clock=clock,
        synch_unit=unit,
        data_offset=data_offset,
        sample_count=sample_count,
        dtype=dtype,
        sweeps=int(head["sweeps"]),
        samples_per_sweep=int(protocol["samples_per_sweep"]),
        sweeps_per_run=int(protocol["sweeps_per_run"]),
        start_to_start=common.start_to_start(opening, source, float(protocol["start_to_start"])),
        synch=synch,
        synch_lost="synch_array" in sections.lost and not len(synch),
        tags=sections.optional("tag", TAG),
        dacs=dacs,
        digital=_digital(opening, source, protocol, sections, dacs),
        recorded=common.recording_time(
            opening, source, int(head["date"]), int(head["time"]) / 1000
        ),
        creator=strings[int(head["creator"])],
        annotations=_annotations(head, protocol, strings),
    )


def _data_extent(source: ByteSource, sections: _Sections, dtype: np.dtype[Any]) -> tuple[int, int]:
    """First byte and number of samples; none if there is no data section (a protocol)."""
    offset, entry_bytes, count = sections.place("data")
    if count < 0 or (offset and entry_bytes != dtype.itemsize):
        corrupt(
            source,
            f"{count} entries of {entry_bytes} bytes, expected samples of {dtype.itemsize}",
            field="data section",
        )
    return offset, count if offset else 0


def _annotations(head: np.void, protocol: np.void, strings: _Strings) -> dict[str, Any]:
    return {
        "abf_version": _version(head["version"]),
        "protocol_path": strings[int(head["protocol_path"])],
        "file_comment": strings[int(protocol["comment"])],
        "creator": strings[int(head["creator"])],
        "creator_version": _version(head["creator_version"]),
        "operation_mode": common.mode_name(int(protocol["mode"])),
        "experiment_type": common.experiment_type(int(protocol["experiment_type"])),
        "guid": str(uuid.UUID(bytes_le=head["guid"].tobytes())),
    }


def _version(stored: NDArray[np.uint8]) -> str:
    return ".".join(str(int(part)) for part in stored[::-1])


def _channels(
    opening: Opening,
    source: ByteSource,
    protocol: np.void,
    adcs: NDArray[Any],
    strings: _Strings,
    dtype: np.dtype[Any],
) -> Channels:
    gain: Any = 1.0
    offset: Any = 0.0
    if dtype.kind == "i":
        gain, offset = common.gains_and_offsets(
            opening,
            source,
            adcs,
            adc_range=float(protocol["adc_range"]),
            adc_resolution=float(protocol["adc_resolution"]),
            telegraph_on=adcs["telegraph_enable"] == 1,
        )
    return Channels.table(
        [strings[int(index)] or f"ch{k}" for k, index in enumerate(adcs["name"])],
        ids=common.unique_ids(adcs["number"]),
        units=[strings[int(index)] for index in adcs["units"]],
        gain=gain,
        offset=offset,
        extra={
            "physical_adc": adcs["number"].astype(np.int64),
            "lowpass": common.doubles(adcs["lowpass"]),
            "highpass": common.doubles(adcs["highpass"]),
        },
    )


def _dacs(
    opening: Opening, source: ByteSource, sections: _Sections, strings: _Strings
) -> tuple[Dac, ...]:
    epochs = sections.optional("epoch_per_dac", EPOCH)
    epochs = epochs[np.argsort(epochs["number"], kind="stable")]
    epochs = epochs[epochs["kind"] != EPOCH_OFF]
    lists = _user_lists(opening, source, sections, strings)
    dacs = sections.optional("dac", DAC)
    if sections.lost & {"dac", "epoch_per_dac", "user_list"}:
        return ()  # a part of the protocol would give a wrong command
    return tuple(
        Dac(
            number=int(dac["number"]),
            name=strings[int(dac["name"])],
            units=strings[int(dac["units"])],
            holding=float(dac["holding"]),
            source=int(dac["source"]) if dac["enable"] else 0,
            inter_sweep=bool(dac["inter_sweep"] == 1),
            epochs=epochs[epochs["dac"] == dac["number"]],
            file_name=common.bare_name(strings[int(dac["file_path"])]),
            file_scale=float(dac["file_scale"]),
            file_offset=float(dac["file_offset"]),
            file_sweep=int(dac["file_sweep"]),
            file_adc=int(dac["file_adc"]),
            user_list=lists.get(int(dac["number"])),
        )
        for dac in dacs
    )


def _user_lists(
    opening: Opening, source: ByteSource, sections: _Sections, strings: _Strings
) -> Mapping[int, UserList]:
    """User lists by the number of their DAC."""
    found = {}
    for entry in sections.optional("user_list", USER_LIST):
        if strings.lost:
            sections.lost.add("user_list")
            break
        values = common.user_list(
            opening,
            source,
            parameter=int(entry["parameter"]),
            repeat=bool(entry["repeat"]),
            text=strings[int(entry["values"])],
        )
        if values is not None:
            found[int(entry["number"])] = values
    return found


def _digital(
    opening: Opening,
    source: ByteSource,
    protocol: np.void,
    sections: _Sections,
    dacs: tuple[Dac, ...],
) -> Digital | None:
    epochs = sections.optional("epoch", DIGITAL_EPOCH)
    active = [dac for dac in dacs if dac.number == int(protocol["active_dac"])]
    if protocol["alternate_dac"] or protocol["alternate_digital"]:
        opening.note(
            "outputs alternate between sweeps; command signals are given as if they did not",
            path=source.name,
            field="alternate output state",
        )
    if not (protocol["digital_enable"] and len(epochs) and active) or "epoch" in sections.lost:
        return None
    return Digital(
        holding=int(protocol["digital_holding"]),
        inter_sweep=bool(protocol["digital_inter_sweep"] == 1),
        values={int(epoch["number"]): int(epoch["value"]) for epoch in epochs},
        trains={int(epoch["number"]): int(epoch["train"]) for epoch in epochs},
        dac=active[0],
    )
