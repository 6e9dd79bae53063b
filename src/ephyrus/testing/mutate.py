"""Damages files, the same way each time: `(data, seed, number)` names one damaged file.

Binary files get flipped bits, extreme numbers, moved, lost and foreign blocks; text files get
changed digits, huge counts, lost and repeated lines, foreign bytes. `lying_counts` is systematic:
it sets every place of the head to numbers that no honest file has.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

__all__ = [
    "Mutation",
    "is_text",
    "lying_counts",
    "mutation",
    "replaced_names",
    "truncation_places",
]

HEAD_BYTES = 4096
"""Half of all mutations hit this part, where most formats keep their counts and offsets."""

_TEXT_BYTES = bytes({7, 8, 9, 10, 12, 13, 27} | set(range(32, 256)) - {127})
_NUMBER = re.compile(rb"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")
_INTEGERS = (0x00, 0xFF, 0x7F, 0x80)  # first byte; 0x7F and 0x80 are the largest and the smallest
_REALS = (0.0, -1.0, np.nan, np.inf, -np.inf, 1e-308, 1e38, -1e38)
_TEXT_NUMBERS = (
    b"0", b"-1", b"1", b"65536", b"2147483648", b"99999999999", b"9" * 30, b"1e308", b"-1e308",
    b"1e-320", b"nan", b"inf", b"", b"x",
)  # fmt: skip
_BLOCK = 512  # most bytes of a moved, lost or foreign block


@dataclass(frozen=True, slots=True)
class Mutation:
    """One damaged file.

    Attributes
    ----------
    data : bytes
        Its content.
    what : str
        What was done, for the failure message.
    """

    data: bytes
    what: str


PlaceT = TypeVar("PlaceT")
ValueT = TypeVar("ValueT")
Mutator = Callable[[bytes, np.random.Generator], Mutation]


def generator(seed: str, number: int) -> np.random.Generator:
    """Give the random numbers of one case."""
    return np.random.default_rng((zlib.crc32(seed.encode()), number))


def is_text(data: bytes) -> bool:
    """Tell whether a file looks like text: no control characters in its first 4 KiB."""
    return bool(data) and not data[:HEAD_BYTES].translate(None, _TEXT_BYTES)


def mutation(data: bytes, seed: str, number: int) -> Mutation:
    """Damage `data` in one to three ways.

    Parameters
    ----------
    data : bytes
        A sound file; not empty.
    seed : str
        Any text, such as the name of the sample.
    number : int
        Number of the case; the same seed and number give the same damage.
    """
    rng = generator(seed, number)
    steps = 1 + int(rng.integers(0, 6)) // 4  # two thirds once, one third twice
    done = []
    for _ in range(steps):
        step = _one_step(data, rng)
        done.append(step.what)
        data = step.data
    return Mutation(data, "; ".join(done))


def _one_step(data: bytes, rng: np.random.Generator) -> Mutation:
    """Damage in one way; tries again where nothing changed (0 written over 0)."""
    for _ in range(8):
        mutators = _TEXT_MUTATORS if is_text(data) and rng.random() < 0.8 else _BINARY_MUTATORS
        step = mutators[rng.integers(len(mutators))](data, rng)
        if step.data != data:
            break
    return step


def _place(data: bytes, rng: np.random.Generator, span: int = 1) -> int:
    """Choose where to damage, half of the time in the head."""
    last = max(len(data) - span, 0)
    if rng.random() < 0.5:
        last = min(last, HEAD_BYTES)
    return int(rng.integers(0, last + 1))


def _patched(data: bytes, offset: int, new: bytes, what: str) -> Mutation:
    new = new[: max(len(data) - offset, 0)]
    return Mutation(data[:offset] + new + data[offset + len(new) :], f"{what} at byte {offset}")


def _flip_bits(data: bytes, rng: np.random.Generator) -> Mutation:
    changed = bytearray(data)
    places = [_place(data, rng) for _ in range(int(rng.integers(1, 9)))]
    for place in places if data else []:
        changed[place] ^= 1 << int(rng.integers(8))
    return Mutation(bytes(changed), f"a bit flipped at each of bytes {sorted(places)}")


def _extreme_integer(data: bytes, rng: np.random.Generator) -> Mutation:
    size = int(2 ** rng.integers(0, 4))
    new = _integer_bytes(_INTEGERS[rng.integers(4)], size, little=bool(rng.integers(2)))
    return _patched(data, _place(data, rng, size), new, f"{new.hex()} written")


def _integer_bytes(first: int, size: int, *, little: bool) -> bytes:
    """Give 0, -1, the largest or the smallest integer of `size` bytes."""
    rest = {0x7F: 0xFF, 0x80: 0x00}.get(first, first)
    new = bytes([first] + [rest] * (size - 1))
    return new[::-1] if little else new


def _extreme_real(data: bytes, rng: np.random.Generator) -> Mutation:
    dtype = np.dtype(("<f4", "<f8", ">f4", ">f8")[rng.integers(4)])
    value = _REALS[rng.integers(len(_REALS))]
    with np.errstate(all="ignore"):
        new = np.array(value).astype(dtype).tobytes()
    return _patched(data, _place(data, rng, len(new)), new, f"{value} as {dtype.str} written")


def _random_integer(data: bytes, rng: np.random.Generator) -> Mutation:
    new = rng.bytes(int(2 ** rng.integers(0, 4)))
    return _patched(data, _place(data, rng, len(new)), new, f"{new.hex()} written")


def _small_change(data: bytes, rng: np.random.Generator) -> Mutation:
    """Add a little to a byte: counts that are nearly right find other faults than huge ones."""
    place = _place(data, rng)
    step = int(rng.integers(1, 4)) * (-1) ** int(rng.integers(2))
    old = data[place] if data else 0
    return _patched(data, place, bytes([(old + step) % 256]), f"{step:+d} to the byte")


def _block(data: bytes, rng: np.random.Generator) -> tuple[int, int]:
    first = _place(data, rng)
    return first, min(first + int(rng.integers(1, _BLOCK + 1)), len(data))


def _swap_blocks(data: bytes, rng: np.random.Generator) -> Mutation:
    size = int(rng.integers(1, min(_BLOCK, max(len(data) // 2, 1)) + 1))
    one, other = sorted((_place(data, rng, size), _place(data, rng, size)))
    if other < one + size:
        return _patched(data, one, data[other : other + size], f"{size} bytes moved from {other}")
    parts = (
        data[:one],
        data[other : other + size],
        data[one + size : other],
        data[one : one + size],
        data[other + size :],
    )
    return Mutation(b"".join(parts), f"{size} bytes at {one} and {other} exchanged")


def _delete_block(data: bytes, rng: np.random.Generator) -> Mutation:
    first, last = _block(data, rng)
    return Mutation(data[:first] + data[last:], f"bytes {first} to {last} deleted")


def _repeat_block(data: bytes, rng: np.random.Generator) -> Mutation:
    first, last = _block(data, rng)
    return Mutation(data[:last] + data[first:], f"bytes {first} to {last} repeated")


def _insert_block(data: bytes, rng: np.random.Generator) -> Mutation:
    first, last = _block(data, rng)
    new = rng.bytes(last - first) if rng.integers(2) else bytes(last - first)
    return Mutation(data[:first] + new + data[first:], f"{len(new)} bytes inserted at {first}")


def _blank_block(data: bytes, rng: np.random.Generator) -> Mutation:
    first, last = _block(data, rng)
    fill = bytes([(0x00, 0xFF, 0x20)[rng.integers(3)]])
    return _patched(data, first, fill * (last - first), f"{last - first} bytes of {fill.hex()}")


def _cut(data: bytes, rng: np.random.Generator) -> Mutation:
    place = _place(data, rng)
    return Mutation(data[:place], f"cut at byte {place}")


def _change_digit(data: bytes, rng: np.random.Generator) -> Mutation:
    places = [match.start() for match in re.finditer(rb"\d", data)]
    if not places:
        return _small_change(data, rng)
    new = b"0123456789.-+eE, \t;"[rng.integers(19) :][:1]
    return _patched(data, places[rng.integers(len(places))], new, f"digit to {new!r}")


def _change_number(data: bytes, rng: np.random.Generator) -> Mutation:
    numbers = list(_NUMBER.finditer(data))
    if not numbers:
        return _small_change(data, rng)
    found = numbers[rng.integers(len(numbers) if rng.integers(2) else min(len(numbers), 40))]
    return _renumbered(data, found, _TEXT_NUMBERS[rng.integers(len(_TEXT_NUMBERS))])


def _renumbered(data: bytes, found: re.Match[bytes], new: bytes) -> Mutation:
    return Mutation(
        data[: found.start()] + new + data[found.end() :],
        f"{found.group()!r} at byte {found.start()} to {new!r}",
    )


def _change_lines(data: bytes, rng: np.random.Generator) -> Mutation:
    lines = data.splitlines(keepends=True)
    if not lines:
        return _small_change(data, rng)
    line, other = (int(rng.integers(len(lines))) for _ in range(2))
    match int(rng.integers(4)):
        case 0:
            what = f"line {line + 1} deleted"
            del lines[line]
        case 1:
            what = f"line {line + 1} repeated"
            lines.insert(line, lines[line])
        case 2:
            what = f"lines {line + 1} and {other + 1} exchanged"
            lines[line], lines[other] = lines[other], lines[line]
        case _:
            kept = int(rng.integers(len(lines[line])))
            what = f"line {line + 1} cut after {kept} bytes, with its end"
            lines[line] = lines[line][:kept]
    return Mutation(b"".join(lines), what)


def _foreign_bytes(data: bytes, rng: np.random.Generator) -> Mutation:
    texts = (
        b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\x80", b'"', b"=", b"[", b"]", b",", b";", b"\t",
        b"\r", b"\n\n", b"%s", b"../", b"\xc2\xb5", b"A" * 5000,
    )  # fmt: skip
    new = texts[rng.integers(len(texts))]
    place = _place(data, rng)
    return Mutation(data[:place] + new + data[place:], f"{new[:8]!r} inserted at byte {place}")


def _other_separator(data: bytes, rng: np.random.Generator) -> Mutation:
    old, new = ((b",", b";"), (b"\t", b" "), (b"=", b":"), (b"\n", b"\r"), (b".", b","))[
        rng.integers(5)
    ]
    place = _place(data, rng)
    return Mutation(
        data[:place] + data[place:].replace(old, new),
        f"each {old!r} from byte {place} on to {new!r}",
    )


_BINARY_MUTATORS: tuple[Mutator, ...] = (
    _flip_bits,
    _extreme_integer,
    _extreme_integer,
    _extreme_real,
    _random_integer,
    _small_change,
    _swap_blocks,
    _delete_block,
    _repeat_block,
    _insert_block,
    _blank_block,
    _cut,
)
_TEXT_MUTATORS: tuple[Mutator, ...] = (
    _change_digit,
    _change_number,
    _change_number,
    _change_lines,
    _change_lines,
    _foreign_bytes,
    _other_separator,
    _cut,
)


def lying_counts(
    data: bytes, *, head: int = HEAD_BYTES, limit: int = 2000, seed: str = ""
) -> Iterator[Mutation]:
    """Set each place of the head to numbers that no honest file has there.

    Parameters
    ----------
    data : bytes
        A sound file. In a binary one every offset of the head is the place of integers of 2 and 4
        bytes, little and big endian: 0, -1, the largest and the smallest. In a text every number of
        the head is replaced (0, negative, huge, not finite, none).
    head : int
        Bytes that are gone through.
    limit : int
        Most cases; where there are more, evenly spaced ones are taken, so that every part of the
        head and every kind of number has its share.
    seed : str
        Where the evenly spaced ones begin, so that several samples of a format share the work.

    Yields
    ------
    Mutation
    """
    if is_text(data):
        numbers = list(_NUMBER.finditer(data[:head]))
        for number, new in _spread(numbers, _TEXT_NUMBERS, limit, seed):
            yield _renumbered(data, number, new)
        return
    fields = dict.fromkeys(
        _integer_bytes(first, size, little=little)
        for size in (4, 2)
        for first in _INTEGERS
        for little in (True, False)
    )
    for offset, new in _spread(range(min(head, len(data))), list(fields), limit, seed):
        yield _patched(data, offset, new, f"{new.hex()} written")


def _spread(
    places: Sequence[PlaceT], values: Sequence[ValueT], limit: int, seed: str
) -> Iterator[tuple[PlaceT, ValueT]]:
    """Pair places and values: all pairs, or about `limit` of them, evenly spaced."""
    count = len(places) * len(values)
    step = max(1, -(-count // limit))
    while np.gcd(step, len(values)) > 1:  # so that the steps come by every value
        step += 1
    for number in range(zlib.crc32(seed.encode()) % step, count, step):
        yield places[number // len(values)], values[number % len(values)]


def truncation_places(
    data: bytes, boundaries: Iterable[int], *, seeded: int, seed: str
) -> list[int]:
    """Give the lengths to cut a file to: around each boundary, and `seeded` other places.

    Returns
    -------
    list of int
        Sorted, each once, all in 0 to ``len(data) - 1``.
    """
    places = {boundary + step for boundary in boundaries for step in (-1, 0, 1)}
    if data:
        places |= set(generator(seed, 0).integers(0, len(data), seeded).tolist())
    return sorted(place for place in places if 0 <= place < len(data))


def replaced_names(data: bytes, old: str, new: str) -> Iterator[Mutation]:
    """Replace a file name in a header, in every encoding in which it is there.

    Parameters
    ----------
    data : bytes
        The header.
    old, new : str
        The name that is there, and the one to put there: once in its place, which moves what
        follows, and once padded with NUL or cut to the same length, as fixed fields need it.
    """
    for encoding in ("utf-8", "utf-16-le"):
        there, wanted = old.encode(encoding), new.encode(encoding)
        if there in data:
            yield Mutation(data.replace(there, wanted), f"{old!r} to {new!r}")
            if len(wanted) != len(there):
                fixed = wanted[: len(there)].ljust(len(there), b"\0")
                yield Mutation(data.replace(there, fixed), f"{old!r} to {new!r}, same length")
