r"""Regular expressions that cannot hang the server and mean the same on every database.

A pattern is a part of the common syntax: characters, ``.``, classes, ``\d \w \s`` and their
opposites (of ASCII), ``^`` and ``$`` (of the whole text), groups, ``|``, and the repetitions
``* + ? {m} {m,} {m,n}``. On SQLite a pattern is run as an automaton, whose time grows with the
length of the text alone; PostgreSQL is given the same pattern in its own spelling.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

__all__ = ["Pattern", "PatternError", "compiled", "parse"]

MOST_CHARACTERS = 200
MOST_STATES = 1000
MOST_REPEATS = 255  # PostgreSQL's limit
_MOST_CACHED = 20_000
_MOST_FOLDED = 0x2000  # characters of a class whose case is folded one by one
_LAST = 0x10FFFF

Ranges = tuple[tuple[int, int], ...]
_CLASSES: dict[str, Ranges] = {
    "d": ((48, 57),),
    "w": ((48, 57), (65, 90), (95, 95), (97, 122)),
    "s": ((9, 13), (32, 32)),
}
_CONTROLS = {"n": 10, "t": 9, "r": 13, "f": 12, "v": 11}


class PatternError(ValueError):
    """A pattern is wrong, or uses what is not offered."""


@dataclass(frozen=True, slots=True)
class _Node:
    """A part of a pattern: characters, an anchor, or parts put together."""

    kind: Literal["set", "start", "end", "concat", "either", "repeat"]
    ranges: Ranges = ()
    parts: tuple[_Node, ...] = ()
    least: int = 0
    most: int | None = None


class Pattern:
    """A pattern that is ready to be used.

    Parameters
    ----------
    root : _Node
        The parsed pattern.

    Attributes
    ----------
    postgres : str
        The pattern as PostgreSQL spells it.
    """

    def __init__(self, root: _Node) -> None:
        self.postgres = _spelled(root)
        self._lock = threading.Lock()  # of what is remembered
        self._sets: list[Ranges] = []  # by state; empty: the state takes no character
        self._next: list[tuple[int, ...]] = []
        self._anchor: list[str] = []
        self._final = self._state()
        self._first = self._build(root, self._final)
        self._numbers: dict[frozenset[int], int] = {}
        self._members: list[frozenset[int]] = []
        self._steps: dict[tuple[int, str], int] = {}
        self._begin = self._number(self._closure([self._first], at_start=True))

    def found_in(self, text: str) -> bool:
        """Tell whether the pattern is found anywhere in a text."""
        with self._lock:
            return self._run(text)

    def _run(self, text: str) -> bool:
        """Run the automaton over a text."""
        current = self._begin
        steps, members, final = self._steps, self._members, self._final
        for character in text:
            if final in members[current]:
                return True
            following = steps.get((current, character))
            if following is None:
                following = self._step(current, character)
                steps, members = self._steps, self._members
            current = following
        closed = self._closure(members[current], at_start=not text, at_end=True)
        return final in closed

    def _state(self, ranges: Ranges = (), following: tuple[int, ...] = (), anchor: str = "") -> int:
        """Add a state of the automaton."""
        if len(self._next) >= MOST_STATES:
            raise PatternError(f"it is too large: its repetitions make over {MOST_STATES} steps")
        self._sets.append(ranges)
        self._next.append(following)
        self._anchor.append(anchor)
        return len(self._next) - 1

    def _build(self, node: _Node, after: int) -> int:
        """Add the states of a part that is followed by state `after`; give the first."""
        if node.kind == "set":
            return self._state(node.ranges or ((1, 0),), (after,))
        if node.kind in {"start", "end"}:
            return self._state((), (after,), node.kind)
        if node.kind == "concat":
            for part in reversed(node.parts):
                after = self._build(part, after)
            return after
        if node.kind == "either":
            return self._state((), tuple(self._build(part, after) for part in node.parts))
        return self._build_repeat(node, after)

    def _build_repeat(self, node: _Node, after: int) -> int:
        """Add the states of a repetition."""
        (part,) = node.parts
        if node.most is None:
            loop = self._state()
            self._next[loop] = (self._build(part, loop), after)
            entry = loop
        else:
            entry = after
            for _ in range(node.most - node.least):
                entry = self._state((), (self._build(part, entry), after))
        for _ in range(node.least):
            entry = self._build(part, entry)
        return entry

    def _closure(
        self, states: Iterable[int], *, at_start: bool = False, at_end: bool = False
    ) -> frozenset[int]:
        """Add the states that are reached without taking a character."""
        found: set[int] = set()
        waiting = list(states)
        while waiting:
            state = waiting.pop()
            if state in found:
                continue
            found.add(state)
            anchor = self._anchor[state]
            passes = (anchor != "start" or at_start) and (anchor != "end" or at_end)
            if not self._sets[state] and passes:
                waiting.extend(self._next[state])
        return frozenset(found)

    def _number(self, states: frozenset[int]) -> int:
        """Give the number of a set of states."""
        number = self._numbers.get(states)
        if number is None:
            number = self._numbers[states] = len(self._members)
            self._members.append(states)
        return number

    def _step(self, current: int, character: str) -> int:
        """Work out where a character leads, and remember it."""
        code = ord(character)
        reached = [
            self._next[state][0]
            for state in self._members[current]
            if any(low <= code <= high for low, high in self._sets[state])
        ]
        states = self._closure([*reached, self._first])
        if len(self._steps) >= _MOST_CACHED:  # what is remembered must not grow without end
            self._steps, self._numbers, self._members = {}, {}, []
            self._begin = self._number(self._closure([self._first], at_start=True))
            return self._number(states)
        following = self._steps[current, character] = self._number(states)
        return following


class _Parser:
    """Reads a pattern from left to right."""

    def __init__(self, text: str, *, fold: bool) -> None:
        self.text = text
        self.fold = fold
        self.position = 0
        self.depth = 0

    def peek(self) -> str:
        """Give the next character, or nothing at the end."""
        return self.text[self.position : self.position + 1]

    def take(self) -> str:
        """Take the next character."""
        found = self.peek()
        if not found:
            raise PatternError("it ends too early")
        self.position += 1
        return found

    def either(self) -> _Node:
        """Read alternatives."""
        parts = [self.concat()]
        while self.peek() == "|":
            self.take()
            parts.append(self.concat())
        return parts[0] if len(parts) == 1 else _Node("either", parts=tuple(parts))

    def concat(self) -> _Node:
        """Read what follows one another."""
        parts: list[_Node] = []
        while self.peek() not in {"", "|", ")"}:
            parts.append(self.repeated())
        return _Node("concat", parts=tuple(parts))

    def repeated(self) -> _Node:
        """Read a part and how often it comes."""
        part = self.atom()
        limits = self.limits()
        if limits is None:
            return part
        if part.kind in {"start", "end"}:
            raise PatternError("^ and $ cannot be repeated")
        if self.peek() == "?":
            self.take()  # a short match is a match
        if self.limits() is not None or self.peek() == "+":
            raise PatternError("a repetition is repeated; put the inner one in a group")
        return _Node("repeat", parts=(part,), least=limits[0], most=limits[1])

    def limits(self) -> tuple[int, int | None] | None:
        """Read how often a part comes; None: once, nothing is said."""
        simple = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(self.peek())
        if simple is not None:
            self.take()
            return simple
        if self.peek() != "{":
            return None
        end = self.text.find("}", self.position)
        low, comma, high = self.text[self.position + 1 : max(end, 0)].partition(",")
        numbers = [low, high] if high else [low]
        if end < 0 or not all(each.isascii() and each.isdigit() for each in numbers):
            raise PatternError(r"a { must begin a count such as {2} or {2,5}; else write \{")
        self.position = end + 1
        least = int(low)
        most = int(high) if high else None if comma else least
        if max(least, most or 0) > MOST_REPEATS or (most is not None and most < least):
            raise PatternError(f"the count {{{low}{comma}{high}}} is not within 0..{MOST_REPEATS}")
        return least, most

    def atom(self) -> _Node:
        """Read one part."""
        character = self.take()
        if character == "(":
            return self.group()
        if character == "[":
            return _Node("set", self.folded(self.bracket()))
        if character == "^":
            return _Node("start")
        if character == "$":
            return _Node("end")
        if character == ".":
            return _Node("set", ((0, 9), (11, _LAST)))
        if character == "\\":
            return _Node("set", self.folded(self.escape()))
        if character in "*+?{":
            raise PatternError(f"there is nothing before {character} that it could repeat")
        text = character.casefold() if self.fold else character
        nodes = tuple(_Node("set", ((ord(each), ord(each)),)) for each in text)
        return nodes[0] if len(nodes) == 1 else _Node("concat", parts=nodes)

    def group(self) -> _Node:
        """Read what is in parentheses."""
        if self.text.startswith("?:", self.position):
            self.position += 2
        elif self.peek() == "?":
            raise PatternError("(?...) is not offered, but for (?:...)")
        self.depth += 1
        if self.depth > 50:
            raise PatternError("its groups lie too deep")
        inner = self.either()
        if self.peek() != ")":
            raise PatternError("a ) is missing")
        self.take()
        self.depth -= 1
        return inner if inner.kind != "concat" else _Node("either", parts=(inner,))

    def escape(self) -> Ranges:
        r"""Read what follows a \."""
        character = self.take()
        if character.lower() in _CLASSES:
            ranges = _CLASSES[character.lower()]
            return ranges if character.islower() else _opposite(ranges)
        if character in _CONTROLS:
            code = _CONTROLS[character]
        elif character.isalnum():
            raise PatternError(f"\\{character} is not offered")
        else:
            code = ord(character)
        return ((code, code),)

    def bracket(self) -> Ranges:
        """Read a class of characters."""
        negative = self.peek() == "^"
        if negative:
            self.take()
        ranges: list[tuple[int, int]] = []
        while self.peek() != "]" or not ranges:
            low = self.member()
            if self.peek() == "-" and self.text[self.position + 1 : self.position + 2] != "]":
                self.take()
                high = self.member()
                if len(low) > 1 or len(high) > 1 or low[0][0] > high[0][0]:
                    raise PatternError("a class holds a range whose ends are not in order")
                low = ((low[0][0], high[0][0]),)
            ranges.extend(low)
        self.take()
        return _opposite(tuple(ranges)) if negative else tuple(ranges)

    def member(self) -> Ranges:
        """Read one member of a class."""
        character = self.take()
        if character == "\\":
            return self.escape()
        if character == "[" and self.peek() in {":", ".", "="}:
            raise PatternError("[: :], [. .] and [= =] are not offered")
        return ((ord(character), ord(character)),)

    def folded(self, ranges: Ranges) -> Ranges:
        """Add the folded forms of the members of a class, if case is disregarded."""
        if not self.fold or sum(high - low + 1 for low, high in ranges) > _MOST_FOLDED:
            return ranges
        forms = {chr(code).casefold() for low, high in ranges for code in range(low, high + 1)}
        codes = sorted(ord(form) for form in forms if len(form) == 1)
        return (*ranges, *((code, code) for code in codes))


def _opposite(ranges: Ranges) -> Ranges:
    """Give the characters that are not in a class."""
    result: list[tuple[int, int]] = []
    following = 0
    for low, high in sorted(ranges):
        if low > following:
            result.append((following, low - 1))
        following = max(following, high + 1)
    if following <= _LAST:
        result.append((following, _LAST))
    return tuple(result)


def _merged(ranges: Ranges) -> Ranges:
    """Give a class in order and without what PostgreSQL cannot spell (zero and surrogates)."""
    return _opposite((*_opposite(ranges), (0, 0), (0xD800, 0xDFFF)))


def _spelled(node: _Node) -> str:
    """Spell a pattern for PostgreSQL."""
    inner = [_spelled(part) for part in node.parts]
    if node.kind == "start":
        return "^"
    if node.kind == "end":
        return "$"
    if node.kind == "concat":
        return "".join(inner)
    if node.kind == "either":
        return f"(?:{'|'.join(inner)})"
    if node.kind == "repeat":
        most = "" if node.most is None else node.most
        wrapped = inner[0] if node.parts[0].kind == "set" else f"(?:{inner[0]})"
        return f"{wrapped}{{{node.least},{most}}}"
    ranges = _merged(node.ranges)
    if not ranges:
        return r"(?:^\u0001$\u0001)"  # no character at all: a pattern that is never found
    members = (f"\\U{low:08x}-\\U{high:08x}" for low, high in ranges)
    return f"[{''.join(members)}]"


def parse(text: str, *, fold: bool = False) -> Pattern:
    """Parse a pattern.

    Parameters
    ----------
    text : str
        The pattern, at most 200 characters.
    fold : bool
        It is used on text without case (``str.casefold``): the pattern is folded alike.

    Returns
    -------
    Pattern
        Ready to be used.

    Raises
    ------
    PatternError
        The pattern is wrong, too large, or uses what is not offered.
    """
    if len(text) > MOST_CHARACTERS:
        raise PatternError(f"it is longer than {MOST_CHARACTERS} characters")
    parser = _Parser(text, fold=fold)
    root = parser.either()
    if parser.peek():
        raise PatternError("a ( is missing")
    return Pattern(root)


@lru_cache(maxsize=64)
def compiled(text: str, fold: bool = False) -> Pattern:
    """Parse a pattern, or find it among the last ones."""
    return parse(text, fold=fold)
