"""Reads damaged copies of a NIX file; run as a program, so that limits hold for it alone.

Each copy is read from the disk; some are read from memory too, and must come to the same.

``python mutants.py FILE FIRST COUNT`` prints a line for each copy: its number and what came of it.
"""

from __future__ import annotations

import io
import resource
import signal
import sys
import warnings
from pathlib import Path

import numpy as np

IN_MEMORY = 3  # every third copy
MEMORY = 2 * 2**30  # bytes of address space
SECONDS = 20.0  # of processor time for one copy; most take milliseconds


def mutant(content: bytes, seed: int) -> bytes:
    """Change some bytes, or cut, of a file."""
    rng = np.random.default_rng(seed)
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 6))):
        place = int(rng.integers(0, len(data)))
        choice = rng.integers(0, 4)
        if choice == 0:
            data[place] ^= 1 << int(rng.integers(0, 8))
        elif choice == 1:
            data[place : place + 4] = rng.bytes(4)
        elif choice == 2:
            data[place : place + 8] = b"\xff" * 8
        else:
            other = int(rng.integers(0, len(data)))
            data[place : place + 16] = data[other : other + 16]
    if rng.integers(0, 10) == 0:
        del data[int(rng.integers(len(data) // 2, len(data))) :]
    return bytes(data)


def read_everything(nix, source) -> int:
    """Read all that a file has; gives a number of things."""
    count = 0
    with nix.File(source, "r") as file:
        for block in file.blocks:
            for array in block.data_arrays:
                if array.size < 10**7:
                    count += array[:].size
                count += sum(len(str(each._axis())) for each in array.dimensions)
                count += len(list(array.sources)) + len(array.unit or "")
            count += sum(len(frame[:]) for frame in block.data_frames if len(frame) < 10**6)
            for tag in block.tags:
                count += sum(tag.tagged_data(k)[:].size for k in range(len(tag.references)))
            for tag in block.multi_tags:
                for k in range(len(tag.references)):
                    count += sum(each.size for each in tag.read_tagged(k))
            count += len(block.find_sources())
            for group in block.groups:
                count += len(list(group.data_arrays)) + len(list(group.tags))
        for section in file.find_sections():
            count += sum(len(prop.values) for prop in section.props)
            count += len(section.inherited_properties())
    return count


def outcome(nix, source) -> str:
    from ephyrus.errors import EphyrusError

    try:
        return f"read {read_everything(nix, source)}"
    except EphyrusError as error:
        return f"refused {type(error).__name__}"
    except (ValueError, IndexError, KeyError, TypeError) as error:
        return f"RAISED {type(error).__name__}: {error}"


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore")
    from ephyrus import nix

    path, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    content = Path(path).read_bytes()
    damaged = Path(f"{path}.{first}")
    for seed in range(first, first + count):
        # Where HDF5 itself never ends (damaged heaps, if not found), only the system helps.
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        sys.stdout.write(f"{seed} begins\n")
        sys.stdout.flush()
        copy = mutant(content, seed)
        damaged.write_bytes(copy)
        found = outcome(nix, damaged)
        other = found if seed % IN_MEMORY else outcome(nix, io.BytesIO(copy))
        same = "" if found == other else f"RAISED, but in memory: {other}"
        sys.stdout.write(f"{seed} {found} {same}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
