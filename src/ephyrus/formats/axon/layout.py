"""Layout of ABF1 and ABF2: structured dtypes, tables, and the header both are read into.

Field offsets are those of the vendor's "ABF file format" documents (ABF 1.x: ``ABFFileHeader``;
ABF 2.x: ``ABF_FileInfo`` and the ``ABF_*Info`` sections). All integers are little-endian. Only
fields that are used have a name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.recording import Channels

BLOCK_BYTES = 512
EPOCHS_PER_DAC = 10
EPOCH_OFF = 0  # the kind of epochs that take no time
SAMPLE_DTYPES: dict[int, np.dtype[Any]] = {0: np.dtype("<i2"), 1: np.dtype("<f4")}
MODES = {
    1: "variable-length events",
    2: "fixed-length events",
    3: "gap-free",
    4: "high-speed oscilloscope",
    5: "episodic",
}
VARIABLE_LENGTH, GAP_FREE = 1, 3
EXPERIMENT_TYPES = {0: "voltage clamp", 1: "current clamp", 2: "simple"}
SECTIONS = (
    "protocol",
    "adc",
    "dac",
    "epoch",
    "adc_per_dac",
    "epoch_per_dac",
    "user_list",
    "stats_region",
    "math",
    "strings",
    "data",
    "tag",
    "scope",
    "delta",
    "voice_tag",
    "synch_array",
    "annotation",
    "stats",
)

_Field = tuple[int, Any]


def _struct(itemsize: int, **fields: _Field) -> np.dtype[Any]:
    """Make a dtype from named fields at their documented offsets."""
    return np.dtype(
        {
            "names": list(fields),
            "formats": [format_ for _, format_ in fields.values()],
            "offsets": [offset for offset, _ in fields.values()],
            "itemsize": itemsize,
        }
    )


def offset_of(dtype: np.dtype[Any], name: str) -> int:
    """Offset of a field, for messages."""
    assert dtype.fields is not None  # noqa: S101 - a structure
    return int(dtype.fields[name][1])


SECTION = np.dtype([("block", "<u4"), ("entry_bytes", "<u4"), ("count", "<i8")])

HEAD2 = _struct(
    512,
    magic=(0, "S4"),
    version=(4, ("u1", 4)),  # least significant first
    sweeps=(12, "<u4"),
    date=(16, "<u4"),  # decimal YYYYMMDD
    time=(20, "<u4"),  # ms since midnight
    data_format=(30, "<u2"),
    guid=(40, ("u1", 16)),
    creator_version=(56, ("u1", 4)),
    creator=(60, "<u4"),  # this and the next: string indices
    protocol_path=(72, "<u4"),
    sections=(76, (SECTION, len(SECTIONS))),
)

PROTOCOL = _struct(
    512,
    mode=(0, "<i2"),
    interval=(2, "<f4"),  # us between samples of one channel
    synch_unit=(14, "<f4"),  # us per tick
    samples_per_sweep=(22, "<i4"),  # all channels together
    sweeps_per_run=(30, "<i4"),
    start_to_start=(62, "<f4"),  # s, of sweeps
    adc_range=(110, "<f4"),  # V
    adc_resolution=(118, "<i4"),  # counts
    experiment_type=(126, "<i2"),
    comment=(132, "<i4"),  # string index
    digital_enable=(140, "<i2"),
    active_dac=(142, "<i2"),
    digital_holding=(144, "<i2"),
    digital_inter_sweep=(146, "<i2"),
    alternate_dac=(182, "<i2"),
    alternate_digital=(184, "<i2"),
)

ADC = _struct(
    128,
    number=(0, "<i2"),  # physical
    telegraph_enable=(2, "<i2"),
    telegraph_gain=(6, "<f4"),
    programmable_gain=(28, "<f4"),
    scale_factor=(40, "<f4"),  # V per unit
    instrument_offset=(44, "<f4"),  # units
    signal_gain=(48, "<f4"),
    signal_offset=(52, "<f4"),  # units
    lowpass=(56, "<f4"),  # Hz
    highpass=(60, "<f4"),  # Hz
    name=(74, "<i4"),  # this and the next: string indices
    units=(78, "<i4"),
)

DAC = _struct(
    256,
    number=(0, "<i2"),
    holding=(12, "<f4"),
    name=(24, "<i4"),  # this and the next: string indices
    units=(28, "<i4"),
    enable=(40, "<i2"),
    source=(42, "<i2"),
    inter_sweep=(44, "<i2"),
    file_scale=(46, "<f4"),
    file_offset=(50, "<f4"),
    file_sweep=(54, "<i4"),
    file_adc=(58, "<i2"),
    file_path=(118, "<i4"),  # string index
)

DIGITAL_EPOCH = _struct(32, number=(0, "<i2"), value=(2, "<i2"), train=(4, "<i2"))

EPOCH = _struct(
    48,
    number=(0, "<i2"),
    dac=(2, "<i2"),
    kind=(4, "<i2"),
    level=(6, "<f4"),
    level_increment=(10, "<f4"),  # per sweep
    duration=(14, "<i4"),  # samples of one channel
    duration_increment=(18, "<i4"),  # per sweep
    period=(22, "<i4"),
    width=(26, "<i4"),
)

# Only lists that are used are stored: the vendor's enable flag at 2 is 0 in a file whose recorded
# command follows the list (user-list-durations.abf), so it is not looked at.
USER_LIST = _struct(
    64,
    number=(0, "<i2"),
    parameter=(4, "<i2"),
    repeat=(6, "<i2"),
    values=(8, "<i4"),  # string index
)

TAG = np.dtype([("time", "<i4"), ("comment", "S56"), ("kind", "<i2"), ("voice", "<i2")])
SYNCH = np.dtype([("start", "<i4"), ("length", "<i4")])

STRINGS_MAGIC = b"SSCH"
STRINGS_HEAD_BYTES = 44

HEAD1_BYTES = 2048
HEAD1_EXTENDED_BYTES = 6144
EXTENDED_FROM = 1.595  # versions are float32: 1.6 is stored as 1.60000002

HEAD1 = _struct(
    HEAD1_EXTENDED_BYTES,
    magic=(0, "S4"),
    version=(4, "<f4"),
    mode=(8, "<i2"),
    samples=(10, "<i4"),  # all channels together
    ignored=(14, "<i2"),  # samples at the front
    sweeps=(16, "<i4"),
    date=(20, "<i4"),  # decimal YYYYMMDD or YYMMDD
    time=(24, "<i4"),  # s since midnight
    data_block=(40, "<i4"),
    tag_block=(44, "<i4"),
    tags=(48, "<i4"),
    synch_block=(92, "<i4"),
    synch_count=(96, "<i4"),
    data_format=(100, "<i2"),
    channels=(120, "<i2"),
    interval=(122, "<f4"),  # us between multiplexed samples
    synch_unit=(130, "<f4"),  # us per tick
    samples_per_sweep=(138, "<i4"),  # all channels together
    sweeps_per_run=(146, "<i4"),
    start_to_start=(178, "<f4"),  # s, of sweeps
    adc_range=(244, "<f4"),  # V
    adc_resolution=(252, "<i4"),  # counts
    experiment_type=(260, "<i2"),
    creator=(294, "S16"),
    old_comment=(310, "S56"),
    milliseconds=(366, "<i2"),
    sampling_sequence=(410, ("<i2", 16)),  # physical numbers
    adc_names=(442, ("S10", 16)),  # these are by physical number
    adc_units=(602, ("S8", 16)),
    programmable_gain=(730, ("<f4", 16)),
    scale_factor=(922, ("<f4", 16)),  # V per unit
    instrument_offset=(986, ("<f4", 16)),
    signal_gain=(1050, ("<f4", 16)),
    signal_offset=(1114, ("<f4", 16)),
    lowpass=(1178, ("<f4", 16)),
    highpass=(1242, ("<f4", 16)),
    dac_names=(1306, ("S10", 4)),
    dac_units=(1346, ("S8", 4)),
    dac_holding=(1394, ("<f4", 4)),
    digital_enable=(1436, "<i2"),
    active_dac=(1440, "<i2"),
    digital_holding=(1584, "<i2"),
    digital_inter_sweep=(1586, "<i2"),
    digital_values=(1588, ("<i2", EPOCHS_PER_DAC)),
    # from version 1.6 on
    period=(2136, ("<i4", 2 * EPOCHS_PER_DAC)),
    width=(2216, ("<i4", 2 * EPOCHS_PER_DAC)),
    enable=(2296, ("<i2", 2)),
    source=(2300, ("<i2", 2)),
    inter_sweep=(2304, ("<i2", 2)),
    kind=(2308, ("<i2", 2 * EPOCHS_PER_DAC)),
    level=(2348, ("<f4", 2 * EPOCHS_PER_DAC)),
    level_increment=(2428, ("<f4", 2 * EPOCHS_PER_DAC)),
    duration=(2508, ("<i4", 2 * EPOCHS_PER_DAC)),
    duration_increment=(2588, ("<i4", 2 * EPOCHS_PER_DAC)),
    file_scale=(2708, ("<f4", 2)),
    file_offset=(2716, ("<f4", 2)),
    file_paths=(2736, ("S256", 2)),
    list_enable=(3360, ("<i2", 4)),
    list_parameter=(3368, ("<i2", 4)),
    list_values=(3376, ("S256", 4)),
    list_repeat=(4400, ("<i2", 4)),
    telegraph_enable=(4512, ("<i2", 16)),
    telegraph_gain=(4576, ("<f4", 16)),
    protocol_path=(4898, "S256"),
    comment=(5154, "S128"),
    guid=(5282, ("u1", 16)),
    creator_version=(5798, ("<i2", 4)),
)


@dataclass(frozen=True, slots=True)
class UserList:
    """Values of one protocol parameter, one per sweep.

    Attributes
    ----------
    parameter : int
        What varies, by the vendor's code.
    repeat : bool
        Begin again after the last value (else it stays).
    values : tuple of float
        One per sweep.
    """

    parameter: int
    repeat: bool
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Dac:
    """One analog output and what the protocol plays on it.

    Attributes
    ----------
    number : int
        As the protocol counts them.
    name, units : str
        As the protocol says.
    holding : float
        Level between commands.
    source : int
        0 holding only, 1 epoch table, 2 stimulus file.
    inter_sweep : bool
        Stay at the last level between sweeps instead of going back to holding.
    epochs : ndarray of EPOCH, shape (epochs,)
        Epoch table in order of number, without epochs that are off.
    file_name : str
        Name of the stimulus file, without its folder.
    file_scale, file_offset : float
        Command = sample of the file * scale + offset.
    file_sweep, file_adc : int
        Sweep of the file (0: the sweep of the same number) and its channel.
    user_list : UserList, optional
        Replaces a parameter of the epochs, sweep by sweep.
    """

    number: int
    name: str
    units: str
    holding: float
    source: int = 0
    inter_sweep: bool = False
    epochs: NDArray[Any] = field(default_factory=lambda: np.zeros(0, EPOCH))
    file_name: str = ""
    file_scale: float = 1.0
    file_offset: float = 0.0
    file_sweep: int = 0
    file_adc: int = 0
    user_list: UserList | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Digital:
    """The digital outputs.

    Attributes
    ----------
    holding : int
        Bits outside of epochs.
    inter_sweep : bool
        Keep the bits of the last epoch between sweeps.
    values, trains : mapping of int to int
        Bits, and bits that pulse, by epoch number.
    dac : Dac
        The output whose epochs time the bits.
    """

    holding: int
    inter_sweep: bool
    values: Mapping[int, int]
    trains: Mapping[int, int]
    dac: Dac


@dataclass(frozen=True, slots=True, eq=False)
class Header:
    """What both binary versions say of a recording, in one form.

    Attributes
    ----------
    version : str
        Of the file ("2.6.0.0", "1.83").
    mode : int
        Operation mode, a key of `MODES`.
    channels : Channels
        In the order of the interleave.
    rate : Fraction
        Samples per second of one channel.
    synch_clock : Fraction
        Ticks per second of sweep starts and tags.
    synch_unit : float
        Its unit in microseconds, 0 where the ticks are multiplexed samples.
    data_offset, sample_count : int
        First byte and number of the samples, all channels together.
    dtype : numpy.dtype
        Type of the samples.
    sweeps, samples_per_sweep, sweeps_per_run : int
        As the header says (acquired, and what the protocol asks for); samples of all channels
        together.
    start_to_start : float
        Seconds between the starts of sweeps, 0 if one follows the other.
    synch : ndarray of SYNCH, shape (sweeps,) or (0,)
        Start and length of each sweep.
    synch_lost : bool
        There should be a synch array, but it is beyond the end of the file.
    tags : ndarray of TAG, shape (tags,)
        As in the file.
    dacs : tuple of Dac
        Analog outputs.
    digital : Digital or None
        Digital outputs, where they are used.
    recorded : datetime or None
        When the recording began.
    creator : str
        What wrote the file.
    annotations : mapping
        Facts of the whole recording.
    """

    version: str
    mode: int
    channels: Channels
    rate: Fraction
    synch_clock: Fraction
    synch_unit: float
    data_offset: int
    sample_count: int
    dtype: np.dtype[Any]
    sweeps: int
    samples_per_sweep: int
    sweeps_per_run: int
    start_to_start: float
    synch: NDArray[Any]
    synch_lost: bool
    tags: NDArray[Any]
    dacs: tuple[Dac, ...]
    digital: Digital | None
    recorded: datetime | None
    creator: str
    annotations: Mapping[str, Any]
