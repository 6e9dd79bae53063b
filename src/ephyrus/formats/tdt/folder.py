"""Which files make which block: tank folders, block folders, single files of a block."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from ephyrus.errors import WrongFormatError
from ephyrus.formats.tdt.layout import BlockFiles
from ephyrus.recording import FileSet

__all__ = ["ENDINGS", "NOTE_ENDINGS", "blocks_in", "find_blocks", "index_names", "tank_name"]

ENDINGS = ("tsq", "tev", "tbk", "tdx", "tin", "tnt", "sev")
NOTES = "notes.txt"
LOG = "_log.txt"
NOTE_ENDINGS = (NOTES, LOG, "storeslisting.txt")  # of file names


def find_blocks(files: FileSet) -> list[BlockFiles]:
    """Find the blocks that a path means.

    Raises
    ------
    WrongFormatError
        If there is no .tsq; the message says where it was looked for.
    """
    if not files.is_dir:
        return [_block_of(files)]
    found = blocks_in(files, "")
    if not found:
        folders = (name for name in files.folders() if not name.startswith("."))
        found = [block for folder in folders for block in blocks_in(files, folder)]
    if not found:
        raise WrongFormatError(
            files.path,
            "neither this folder nor a folder in it has a .tsq file: it is no TDT block or tank",
        )
    return found


def _block_of(files: FileSet) -> BlockFiles:
    """Give the block that a file belongs to."""
    found = blocks_in(files, "")
    stem = files.stem.casefold()
    own = [block for block in found if block.tsq == files.name]
    own += [block for block in found if _stem(block.tsq) == stem]
    own += [block for block in found if stem.startswith(_stem(block.tsq))]
    if own or len(found) == 1:
        return [*own, *found][0]
    what = "several .tsq files, none of its name" if found else "no .tsq file"
    raise WrongFormatError(
        files.path, f"there is {what} in the folder of this file: the block's index is needed"
    )


def index_names(files: FileSet, folder: str) -> list[str]:
    """Give the names of the .tsq files in a folder."""
    return _with_ending(_visible(files, folder), "tsq")


def blocks_in(files: FileSet, folder: str) -> list[BlockFiles]:
    """Give the blocks whose files lie in one folder: usually one."""
    names = _visible(files, folder)
    indices = _with_ending(names, "tsq")
    return [_block(files, folder, names, name, len(indices) == 1) for name in indices]


def _block(
    files: FileSet, folder: str, names: Sequence[str], tsq: str, is_only: bool
) -> BlockFiles:
    def path(name: str) -> str:
        return f"{folder}/{name}" if folder else name

    doubtful: list[str] = []

    def companion(ending: str) -> str | None:
        there = _with_ending(names, ending)
        same = [name for name in there if _stem(name) == _stem(tsq)]
        if is_only and not same and len(there) > 1:
            doubtful.extend(map(path, there))
        fitting = same or (there if is_only else [])
        return path(fitting[0]) if fitting else None

    def of_block(found: Iterable[str]) -> tuple[str, ...]:
        prefix = _stem(tsq)
        return tuple(path(name) for name in found if is_only or name.casefold().startswith(prefix))

    tnt = companion("tnt")
    texts = [name for name in names if name.casefold() == NOTES] if is_only else []
    logs = [name for name in names if name.casefold().endswith(LOG)]
    return BlockFiles(
        name=_block_name(files, folder, tsq, is_only),
        tsq=path(tsq),
        tev=companion("tev"),
        tbk=companion("tbk"),
        notes=(*([tnt] if tnt else []), *map(path, texts)),
        sevs=of_block(_with_ending(names, "sev")),
        logs=of_block(logs),
        sorts=_sorts(files, folder) if is_only else {},
        doubtful=tuple(doubtful),
    )


def _sorts(files: FileSet, folder: str) -> dict[str, dict[str, str]]:
    """Find off-line sorts: sort/NAME/STORE.SortResult."""
    found: dict[str, dict[str, str]] = {}
    base = f"{folder}/" if folder else ""
    for sort in files.folders(folder):
        if sort.casefold() != "sort":
            continue
        for name in files.folders(base + sort):
            below = f"{base}{sort}/{name}"
            results = _with_ending(_visible(files, below), "sortresult")
            found[name] = {_stem(result): f"{below}/{result}" for result in results}
    return {name: results for name, results in found.items() if results}


def _visible(files: FileSet, folder: str) -> list[str]:
    """Names of the files in a folder; macOS puts ``._`` files beside them."""
    return [name for name in files.names(folder) if not name.startswith(".") and "/" not in name]


def _with_ending(names: Iterable[str], ending: str) -> list[str]:
    return [name for name in names if name.casefold().endswith(f".{ending}")]


def _stem(name: str) -> str:
    return PurePosixPath(name).stem.casefold()


def _own_folder(files: FileSet) -> PurePosixPath:
    path = PurePosixPath(files.path.replace("\\", "/"))
    return path if files.is_dir else path.parent


def _block_name(files: FileSet, folder: str, tsq: str, is_only: bool) -> str:
    """Name a block by its folder; several in one folder by their files."""
    stem = PurePosixPath(tsq).stem
    return (folder or _own_folder(files).name or stem) if is_only else stem


def tank_name(files: FileSet, blocks: Sequence[BlockFiles]) -> str:
    """Name the tank: its folder, or what the name of a single block's files begins with."""
    first = blocks[0]
    if files.is_dir and "/" in first.tsq:
        return files.name
    stem = PurePosixPath(first.tsq).stem
    if stem.casefold().endswith(f"_{first.name}".casefold()):
        return stem[: -len(first.name) - 1]
    return _own_folder(files).parent.name or stem
