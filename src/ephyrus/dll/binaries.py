"""For which system and processor a shared library is: its header, read without loading it.

ELF (Linux and other Unix systems), PE (Windows) and Mach-O (macOS, also with several processors in
one file).
"""

from __future__ import annotations

import _ctypes
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["Binary", "Processor", "binary_of", "elf_size", "this_process"]

ByteOrder = Literal["little", "big"]

_HEADER_BYTES = 4096
_MACH_64 = 0x0100_0000  # flag of 64-bit processors in Mach-O
_MOST_PROCESSORS = 16  # in one Mach-O file; a Java class begins alike, and has larger numbers there

_ELF_PROCESSORS = {
    2: "SPARC", 3: "x86", 8: "MIPS", 20: "PowerPC", 21: "PowerPC", 22: "S390", 40: "ARM",
    50: "Itanium", 62: "x86", 183: "ARM", 243: "RISC-V", 258: "LoongArch",
}  # fmt: skip
_ELF_SYSTEMS = {0: "Linux", 3: "Linux", 6: "Solaris", 9: "FreeBSD", 12: "OpenBSD"}
# Offsets and sizes in an ELF file by the width of its addresses: in its header, of the table of
# segments, an entry of it, and their number; in an entry, of the segment's offset and its bytes.
_ELF_SEGMENTS = {
    32: ((28, 4), (42, 2), (44, 2), (4, 4), (16, 4)),
    64: ((32, 8), (54, 2), (56, 2), (8, 8), (32, 8)),
}
_PE_PROCESSORS = {
    0x014C: ("x86", 32), 0x8664: ("x86", 64), 0x01C0: ("ARM", 32), 0x01C4: ("ARM", 32),
    0xAA64: ("ARM", 64), 0x0200: ("Itanium", 64),
}  # fmt: skip
_MACH_PROCESSORS = {7: "x86", 12: "ARM", 18: "PowerPC"}
_MACH_MAGICS: dict[bytes, ByteOrder] = {
    b"\xce\xfa\xed\xfe": "little",
    b"\xcf\xfa\xed\xfe": "little",
    b"\xfe\xed\xfa\xce": "big",
    b"\xfe\xed\xfa\xcf": "big",
}
_MACH_FAT = {b"\xca\xfe\xba\xbe": 20, b"\xca\xfe\xba\xbf": 32}  # bytes of an entry
_SYSTEMS = {"linux": "Linux", "win32": "Windows", "cygwin": "Windows", "darwin": "macOS"}


@dataclass(frozen=True, slots=True)
class Processor:
    """A family of processors, and the width of its addresses in bits."""

    family: str
    bits: int

    def __str__(self) -> str:
        return {("x86", 64): "x86-64", ("ARM", 64): "ARM64"}.get(
            (self.family, self.bits), self.family
        )


@dataclass(frozen=True, slots=True)
class Binary:
    """What programs and libraries of a file, or this process, run on."""

    system: str
    processors: tuple[Processor, ...]

    def runs_in(self, process: Binary) -> bool:
        """Tell whether a process can load it."""
        return self.system == process.system and process.processors[0] in self.processors

    def __str__(self) -> str:
        kinds = [f"{each.bits}-bit {self.system} ({each})" for each in self.processors]
        return " and ".join(kinds)


def this_process() -> Binary:
    """Tell what this Python runs on: the same as a library that it has loaded already."""
    told = _told_by_platform()
    loaded = getattr(_ctypes, "__file__", None)
    own = binary_of(loaded) if loaded else None
    if own is None or own.runs_in(told):
        return told
    # The machine can do more than this process, or be called otherwise than it works.
    return Binary(own.system, own.processors[:1])


def _told_by_platform() -> Binary:
    """Tell what the machine is, by the names that Python has for it."""
    bits = 64 if sys.maxsize > 2**32 else 32
    machine = platform.machine().lower()
    families = {
        "x86": ("x86", "amd64", "i386", "i486", "i586", "i686"),
        "ARM": ("arm", "aarch64"),
        "PowerPC": ("ppc", "power"),
        "RISC-V": ("riscv",),
        "S390": ("s390",),
        "MIPS": ("mips",),
        "LoongArch": ("loongarch",),
    }
    for family, starts in families.items():
        if machine.startswith(starts):
            machine = family
            break
    system = _SYSTEMS.get(sys.platform, platform.system())
    return Binary(system, (Processor(machine, bits),))


def binary_of(path: str | os.PathLike[str]) -> Binary | None:
    """Read what a file runs on; None if it is neither ELF, PE nor Mach-O.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with Path(path).open("rb") as file:
        head = file.read(_HEADER_BYTES)
        if head[:2] == b"MZ":
            file.seek(_number(head, 0x3C, 4))
            return _pe(file.read(6))
    if head[:4] == b"\x7fELF":
        return _elf(head)
    if head[:4] in _MACH_MAGICS:
        return _mach([_mach_processor(head, 4, _MACH_MAGICS[head[:4]])])
    if head[:4] in _MACH_FAT:
        return _mach_fat(head, _MACH_FAT[head[:4]])
    return None


def _number(data: bytes, offset: int, size: int, order: ByteOrder = "little") -> int:
    return int.from_bytes(data[offset : offset + size], order)


def _elf(head: bytes) -> Binary | None:
    """Read an ELF header: class, byte order and system in its first bytes."""
    if len(head) < 20 or head[4] not in (1, 2) or head[5] not in (1, 2):
        return None
    machine = _number(head, 18, 2, "little" if head[5] == 1 else "big")
    family = _ELF_PROCESSORS.get(machine, f"processor {machine}")
    system = _ELF_SYSTEMS.get(head[7], "Unix")
    return Binary(system, (Processor(family, 32 * head[4]),))


def elf_size(path: str | os.PathLike[str]) -> int:
    """Give the bytes that an ELF file has at least; 0 for other files.

    The loader believes the table of segments: it maps what a file that was cut short has not, and
    the process is killed when that is used.
    """
    with Path(path).open("rb") as file:
        there = os.fstat(file.fileno()).st_size
        head = file.read(64)
        if head[:4] != b"\x7fELF" or _elf(head) is None:
            return 0
        order: ByteOrder = "little" if head[5] == 1 else "big"
        table, entry, number, offset, size = _ELF_SEGMENTS[32 * head[4]]
        start, each, count = (_number(head, *place, order) for place in (table, entry, number))
        if start + each * count > there:
            return start + each * count
        file.seek(start)
        segments = file.read(each * count)
    ends = [
        sum(_number(segments[k * each :], *place, order) for place in (offset, size))
        for k in range(count)
    ]
    return max([start + each * count, *ends])


def _pe(head: bytes) -> Binary | None:
    """Read the header of a Windows library, behind the one for DOS."""
    if len(head) < 6 or head[:4] != b"PE\0\0":
        return None
    machine = _number(head, 4, 2)
    family, bits = _PE_PROCESSORS.get(machine, (f"processor {machine:#x}", 32))
    return Binary("Windows", (Processor(family, bits),))


def _mach(processors: list[Processor]) -> Binary:
    return Binary("macOS", tuple(processors))


def _mach_processor(head: bytes, offset: int, order: ByteOrder) -> Processor:
    """Read the number of a processor."""
    number = _number(head, offset, 4, order)
    family = _MACH_PROCESSORS.get(number & ~_MACH_64, f"processor {number:#x}")
    return Processor(family, 64 if number & _MACH_64 else 32)


def _mach_fat(head: bytes, entry: int) -> Binary | None:
    """Read the table of a file that has a library for each of several processors."""
    count = _number(head, 4, 4, "big")
    if not 0 < count <= _MOST_PROCESSORS:
        return None
    return _mach([_mach_processor(head, 8 + entry * k, "big") for k in range(count)])
