"""Which library is for a file, where it lies, and why it cannot be used."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import pytest

from ephyrus.dll import binaries, find
from ephyrus.dll.binaries import Binary, Processor, binary_of, this_process
from ephyrus.errors import ArgumentError, DLLNotFound, DLLTypeUnknown, DLLUnusable

LINUX = Binary("Linux", (Processor("x86", 64),))


def elf(bits: int = 64, machine: int = 62, order: str = "little", system: int = 0) -> bytes:
    """An ELF file with two segments, which end at byte 200 and at byte 300."""
    ident = b"\x7fELF" + bytes([bits // 32, 1 if order == "little" else 2, 1, system])
    wide, width = bits == 64, bits // 8
    header = bytearray(ident.ljust(64, b"\0"))
    entry = 56 if wide else 32

    def put(offset: int, value: int, size: int) -> None:
        header[offset : offset + size] = value.to_bytes(size, order)

    put(16, 3, 2)
    put(18, machine, 2)
    put(32 if wide else 28, 64, width)
    put(54 if wide else 42, entry, 2)
    put(56 if wide else 44, 2, 2)
    for k in range(2):
        header += bytes(entry)
        segment = 64 + k * entry
        put(segment + (8 if wide else 4), 150 * k, width)
        put(segment + (32 if wide else 16), 200 - 50 * k, width)
    return bytes(header).ljust(300, b"\0")


def pe(machine: int = 0x14C) -> bytes:
    dos = b"MZ".ljust(0x3C, b"\0") + (0x80).to_bytes(4, "little")
    return dos.ljust(0x80, b"\0") + b"PE\0\0" + machine.to_bytes(2, "little") + bytes(18)


def macho(cpu: int, order: str = "little") -> bytes:
    magic = 0xFEEDFACF if cpu & 0x0100_0000 else 0xFEEDFACE
    return magic.to_bytes(4, order) + cpu.to_bytes(4, order) + bytes(24)


def fat(*cpus: int, count: int | None = None, entry: int = 20) -> bytes:
    magic = b"\xca\xfe\xba\xbe" if entry == 20 else b"\xca\xfe\xba\xbf"
    number = len(cpus) if count is None else count
    table = b"".join(cpu.to_bytes(4, "big").ljust(entry, b"\0") for cpu in cpus)
    return magic + number.to_bytes(4, "big") + table


X86, X86_64, ARM64 = Processor("x86", 32), Processor("x86", 64), Processor("ARM", 64)


@pytest.mark.parametrize(
    ("data", "expected", "text"),
    [
        (elf(), Binary("Linux", (X86_64,)), "64-bit Linux (x86-64)"),
        (elf(32, 3, system=3), Binary("Linux", (X86,)), "32-bit Linux (x86)"),
        (elf(64, 183), Binary("Linux", (ARM64,)), "64-bit Linux (ARM64)"),
        (elf(32, 40), Binary("Linux", (Processor("ARM", 32),)), "32-bit Linux (ARM)"),
        (
            elf(64, 21, "big"),
            Binary("Linux", (Processor("PowerPC", 64),)),
            "64-bit Linux (PowerPC)",
        ),
        (elf(64, 62, system=9), Binary("FreeBSD", (X86_64,)), "64-bit FreeBSD (x86-64)"),
        (
            elf(64, 999, system=99),
            Binary("Unix", (Processor("processor 999", 64),)),
            "64-bit Unix (processor 999)",
        ),
        (pe(), Binary("Windows", (X86,)), "32-bit Windows (x86)"),
        (pe(0x8664), Binary("Windows", (X86_64,)), "64-bit Windows (x86-64)"),
        (pe(0xAA64), Binary("Windows", (ARM64,)), "64-bit Windows (ARM64)"),
        (
            pe(0x1234),
            Binary("Windows", (Processor("processor 0x1234", 32),)),
            "32-bit Windows (processor 0x1234)",
        ),
        (macho(7), Binary("macOS", (X86,)), "32-bit macOS (x86)"),
        (macho(0x0100_000C), Binary("macOS", (ARM64,)), "64-bit macOS (ARM64)"),
        (macho(18, "big"), Binary("macOS", (Processor("PowerPC", 32),)), "32-bit macOS (PowerPC)"),
        (
            fat(0x0100_0007, 0x0100_000C),
            Binary("macOS", (X86_64, ARM64)),
            "64-bit macOS (x86-64) and 64-bit macOS (ARM64)",
        ),
        (fat(0x0100_0007, entry=32), Binary("macOS", (X86_64,)), "64-bit macOS (x86-64)"),
        (b"", None, ""),
        (b"#!/bin/sh\n", None, ""),
        (elf()[:18], None, ""),
        (b"\x7fELF\x03\x01" + bytes(40), None, ""),
        (b"MZ" + bytes(100), None, ""),
        (pe()[:0x82], None, ""),
        (b"MZ".ljust(0x3C, b"\0") + b"\xff\xff\xff\xff", None, ""),
        (fat(count=0), None, ""),
        (fat(count=61), None, ""),  # a Java class of version 61
    ],
)  # fmt: skip
def test_headers(tmp_path, data, expected, text):
    path = tmp_path / "library"
    path.write_bytes(data)
    assert binary_of(path) == expected
    if expected is not None:
        assert str(expected) == text


@pytest.mark.parametrize(
    ("system", "machine", "largest", "expected"),
    [
        ("linux", "x86_64", 2**63, Binary("Linux", (X86_64,))),
        ("linux", "x86_64", 2**31, Binary("Linux", (X86,))),
        ("linux", "aarch64", 2**63, Binary("Linux", (ARM64,))),
        ("win32", "AMD64", 2**63, Binary("Windows", (X86_64,))),
        ("darwin", "arm64", 2**63, Binary("macOS", (ARM64,))),
        ("linux", "riscv64", 2**63, Binary("Linux", (Processor("RISC-V", 64),))),
        ("plan9", "alpha", 2**63, Binary("Plan9", (Processor("alpha", 64),))),
    ],
)
def test_this_process(monkeypatch, system, machine, largest, expected):
    monkeypatch.setattr(
        binaries, "sys", type("sys", (), {"platform": system, "maxsize": largest - 1})
    )
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(platform, "system", lambda: "Plan9")
    monkeypatch.setattr(binaries, "_ctypes", None)  # as where it is part of Python itself
    assert this_process() == expected


@pytest.mark.parametrize(
    ("data", "machine", "expected"),
    [
        (elf(), "x86_64", LINUX),
        (elf(64, 183), "x86_64", Binary("Linux", (ARM64,))),  # emulated
        (elf(system=9), "x86_64", Binary("FreeBSD", (X86_64,))),
        (fat(0x0100_0007, 0x0100_000C), "arm64", Binary("macOS", (ARM64,))),
        (fat(0x0100_0007, 0x0100_000C), "x86_64", Binary("macOS", (X86_64,))),
        (b"packed in some way", "x86_64", LINUX),
    ],
)
def test_a_library_that_is_loaded_tells_what_this_process_is(
    tmp_path, monkeypatch, data, machine, expected
):
    path = tmp_path / "_ctypes.so"
    path.write_bytes(data)
    system = "darwin" if expected.system == "macOS" else "linux"
    monkeypatch.setattr(
        binaries, "sys", type("sys", (), {"platform": system, "maxsize": 2**63 - 1})
    )
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(binaries, "_ctypes", type("_ctypes", (), {"__file__": str(path)}))
    assert this_process() == expected


def test_python_itself_can_be_loaded():
    path = sys.modules["_ctypes"].__file__
    assert binary_of(path).runs_in(this_process())
    assert find.explain(path) is None


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("order", ["little", "big"])
def test_libraries_that_are_cut_short(tmp_path, monkeypatch, bits, order):
    """Loading one could end the process: the system maps bytes that are not there."""
    path = tmp_path / "nsX.so"
    path.write_bytes(elf(bits, 3 if bits == 32 else 62, order))
    assert binaries.elf_size(path) == 300
    monkeypatch.setattr(find, "this_process", lambda: binary_of(path))
    assert find.explain(path) is None
    for size in (299, 200, 130, 80, 64):
        path.write_bytes(elf(bits, 3 if bits == 32 else 62, order)[:size])
        whole = binaries.elf_size(path)
        assert size < whole <= 300
        told = f"it is cut short: it has {size} of {whole} bytes; copy or install it again"
        assert find.explain(path) == told
    damaged = bytearray(elf(bits, 3 if bits == 32 else 62, order))
    damaged[28:40] = b"\xff" * 12  # a table of segments that begins nowhere
    path.write_bytes(damaged)
    assert binaries.elf_size(path) >= 2**32
    path.write_bytes(pe())
    assert binaries.elf_size(path) == 0


@pytest.fixture
def places(tmp_path, monkeypatch):
    """The folders, as on 64-bit Linux: of the environment, of the user, of the system."""
    made = {name: tmp_path / name for name in ("first", "second", "home", "system", "local", "cwd")}
    for folder in made.values():
        folder.mkdir()
    made["user"] = made["home"] / ".neuroshare"
    made["user"].mkdir()
    monkeypatch.setenv("HOME", str(made["home"]))
    monkeypatch.setenv(
        find.PATH_VARIABLE, os.pathsep.join(map(str, (made["first"], made["second"])))
    )
    monkeypatch.setattr(
        find, "_FOLDERS", ("~/.neuroshare", str(made["system"]), str(made["local"]))
    )
    monkeypatch.setattr(find, "this_process", lambda: LINUX)
    monkeypatch.chdir(made["cwd"])
    monkeypatch.syspath_prepend(str(made["cwd"]))
    return made


ORDER = ("first", "second", "user", "system", "local")


def test_folders(monkeypatch):
    monkeypatch.delenv(find.PATH_VARIABLE, raising=False)
    home = Path("~/.neuroshare").expanduser()
    fixed = [home, Path("/usr/lib/neuroshare"), Path("/usr/local/lib/neuroshare")]
    assert find.folders() == fixed
    entries = ["/opt/a", "", "relative", ".", "~/libs", "/opt/a", "/usr/lib/neuroshare"]
    monkeypatch.setenv(find.PATH_VARIABLE, os.pathsep.join(entries))
    first = [Path("/opt/a"), Path("~/libs").expanduser(), Path("/usr/lib/neuroshare")]
    assert find.folders() == [*first, home, Path("/usr/local/lib/neuroshare")]


@pytest.mark.parametrize(
    ("name", "library"),
    [
        ("x.mcd", "nsMCDLibrary"),
        ("x.plx", "nsPlxLibrary"),
        ("x.map", "nsAOLibrary"),
        ("x.nev", "nsNEVLibrary"),
        ("x.nex", "NeuroExplorerNeuroShareLibrary"),
        ("x.nsn", "nsNSNLibrary"),
        ("x.stb", "nsTDTLib"),
        ("x.smr", "nsCedSon"),
        ("x.son", "nsCedSon"),
        ("x.cfs", "nsCedSon"),
        ("X.MCD", "nsMCDLibrary"),
        ("a.b/x.y.Plx", "nsPlxLibrary"),
    ],
)
def test_names(name, library):
    assert find.library_name(name) == library
    assert find.library_name(Path(name)) == library


def test_names_that_tell_nothing():
    with pytest.raises(DLLTypeUnknown, match=r'^"abc": Unknown library type\.$') as caught:
        find.library_name("x.abc")
    assert (caught.value.name, caught.value.ext) == ("x.abc", "abc")
    for name in ("x", "folder.plx/x"):
        with pytest.raises(ArgumentError, match="has no ending") as caught:
            find.library_name(name)
        assert caught.value.arg == name


def test_order_of_folders(places):
    for name in reversed(ORDER):
        path = places[name] / "nsPlxLibrary.so"
        path.write_bytes(elf())
        assert find.find_library_for_file("x.plx") == path
        assert find.find_library("nsPlxLibrary") == path
        assert find.find_library("nsPlxLibrary.so") == path


def test_never_the_current_directory_and_never_where_python_looks(places):
    (places["cwd"] / "nsPlxLibrary.so").write_bytes(elf())
    for call, argument in (
        (find.find_library_for_file, "x.plx"),
        (find.find_library, "nsPlxLibrary"),
        (find.find_library, "nsPlxLibrary.so"),
    ):
        with pytest.raises(DLLNotFound):
            call(argument)
    path = find.find_library("./nsPlxLibrary.so")  # but where it is asked for
    assert path == places["cwd"] / "nsPlxLibrary.so"


def test_names_of_64_bit_libraries(places):
    (places["user"] / "nsPlxLibrary.so").write_bytes(elf(32, 3))
    wide = places["user"] / "nsPlxLibrary64.so"
    wide.write_bytes(elf())
    assert find.find_library_for_file("x.plx") == wide
    assert find.find_library("nsPlxLibrary64") == wide


def test_an_unusable_library_hides_no_other(places):
    (places["first"] / "nsPlxLibrary.so").write_bytes(elf(64, 183))
    path = places["local"] / "nsPlxLibrary.so"
    path.write_bytes(elf())
    assert find.find_library_for_file("x.plx") == path


def test_wine(places):
    """Where there is no library, or none for this system, Windows ones are asked under Wine."""
    wine = places["system"] / "nsWineLibrary.so"
    wine.write_bytes(elf())
    (places["first"] / "nsPlxLibrary.dll").write_bytes(pe())
    assert find.find_library_for_file("x.plx") == wine
    assert find.find_library_for_file("x.nev") == wine
    with pytest.raises(DLLNotFound):
        find.find_library("nsPlxLibrary")
    own = places["local"] / "nsPlxLibrary.so"
    own.write_bytes(elf())
    assert find.find_library_for_file("x.plx") == own


def test_a_missing_library(places):
    with pytest.raises(DLLNotFound) as caught:
        find.find_library_for_file("data/x.plx")
    where = ", ".join(str(places[name]) for name in ORDER)
    assert str(caught.value) == (
        'Vendor DLL "nsPlxLibrary" could not be found: '
        f"nsPlxLibrary.so was looked for in {where}. Put it into one of them, name its folder in "
        "the environment variable EPHYRUS_NEUROSHARE_PATH, or give its path as library=."
    )
    error = caught.value
    assert (error.name, error.ext, error.lib) == ("data/x.plx", "plx", "nsPlxLibrary")


def test_libraries_for_something_else(places):
    (places["first"] / "nsPlxLibrary.dll").write_bytes(pe())
    (places["second"] / "nsPlxLibrary.so").write_bytes(elf(32, 3))
    (places["user"] / "nsPlxLibrary.dylib").write_bytes(macho(0x0100_000C))
    (places["local"] / "nsPlxLibrary.dll").write_bytes(elf())
    with pytest.raises(DLLNotFound) as caught:
        find.find_library_for_file("x.plx")
    here = (
        "this Python is for 64-bit Linux (x86-64). What would work: the vendor's library for "
        "64-bit Linux (x86-64), if there is one; or "
    )
    for told in (
        f"{places['first']}/nsPlxLibrary.dll was found, and cannot be used: it is for 32-bit "
        f"Windows (x86), and {here}nsWineLibrary.so, which runs Windows libraries under Wine, in "
        "one of the folders of libraries; or a Python on a machine with 32-bit Windows (x86), to "
        "convert the file there.",
        f"{places['second']}/nsPlxLibrary.so was found, and cannot be used: it is for 32-bit "
        f"Linux (x86), and {here}a Python for 32-bit Linux (x86).",
        f"{places['user']}/nsPlxLibrary.dylib was found, and cannot be used: it is for 64-bit "
        f"macOS (ARM64), and {here}a Python on a machine with 64-bit macOS (ARM64), to convert "
        "the file there.",
        f"{places['local']}/nsPlxLibrary.dll was found, and cannot be used: its name does not "
        "end with .so.",
    ):
        assert told in str(caught.value)


def test_paths(places, tmp_path):
    good, other, text = (tmp_path / name for name in ("a.so", "b.dll", "c.so"))
    good.write_bytes(elf())
    other.write_bytes(pe(0x8664))
    text.write_bytes(b"an error page instead of a library")
    assert find.find_library(good) == good
    assert find.find_library(str(good)) == good
    (places["home"] / "d.so").write_bytes(elf())
    assert find.find_library("~/d.so") == places["home"] / "d.so"
    with pytest.raises(DLLUnusable, match=r"b\.dll cannot be used: it is for 64-bit Windows"):
        find.find_library(other)
    with pytest.raises(DLLUnusable, match=r"c\.so cannot be used: it is no shared library"):
        find.find_library(text)
    with pytest.raises(DLLUnusable, match=r"d\.so cannot be used: there is no such file"):
        find.find_library(tmp_path / "d.so")
    with pytest.raises(DLLUnusable, match="there is no such file"):
        find.find_library(tmp_path)
    assert find.explain(tmp_path / "d.so") == "the file cannot be read (No such file or directory)"


@pytest.mark.parametrize(
    ("here", "suffix"),
    [
        (Binary("Windows", (X86_64,)), ".dll"),
        (Binary("macOS", (ARM64,)), ".dylib"),
        (Binary("FreeBSD", (X86_64,)), ".so"),
    ],
)
def test_other_systems(places, monkeypatch, here, suffix):
    monkeypatch.setattr(find, "this_process", lambda: here)
    data = {".dll": pe(0x8664), ".dylib": fat(0x0100_0007, 0x0100_000C), ".so": elf(system=9)}
    for ending, content in data.items():
        (places["user"] / f"nsMCDLibrary{ending}").write_bytes(content)
    assert find.find_library_for_file("x.mcd") == places["user"] / f"nsMCDLibrary{suffix}"
