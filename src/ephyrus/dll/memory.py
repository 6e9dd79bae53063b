"""Memory that this process shares with the child in which a library runs.

It has no name that could be left behind: it is gone with the last process that has it.
"""

from __future__ import annotations

import mmap
import os
import secrets
import sys
import tempfile

__all__ = ["ROOM", "SharedMemory", "attached"]

ROOM = 8_388_608  # bytes: about a million samples, which fit into a processor's cache


class SharedMemory:
    """A piece of memory for a child to be started.

    Attributes
    ----------
    map : mmap
        The memory.
    token : str
        What the child needs to have it too; see `attached`.
    descriptors : tuple of int
        Descriptors to be passed to the child.
    """

    def __init__(self) -> None:
        self.descriptors: tuple[int, ...] = ()
        if sys.platform == "win32":
            self.token = f"ephyrus-{os.getpid()}-{secrets.token_hex(8)}"
            self.map = mmap.mmap(-1, ROOM, tagname=self.token)
            return
        descriptor = _unnamed_file()
        try:
            os.ftruncate(descriptor, ROOM)
            self.map = mmap.mmap(descriptor, ROOM)
        except BaseException:
            os.close(descriptor)
            raise
        self.descriptors = (descriptor,)
        self.token = str(descriptor)

    def is_passed(self) -> None:
        """Close what was only there to be passed to the child."""
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = ()

    def close(self) -> None:
        """Give the memory back."""
        self.is_passed()
        self.map.close()


def attached(token: str) -> mmap.mmap:
    """Give the memory that the parent shares, in the child."""
    if sys.platform == "win32":
        return mmap.mmap(-1, ROOM, tagname=token)
    return mmap.mmap(int(token), ROOM)


def _unnamed_file() -> int:
    """Open a file that has no name and is not inherited: in memory where the system can."""
    if sys.platform == "linux":
        return os.memfd_create("ephyrus-neuroshare", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
