"""Reads odML documents (XML, versions 1.0 and 1.1) without entities and without limits to abuse."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any
from xml.parsers import expat

from ephyrus.service.files.inside.manifest import Manifest
from ephyrus.service.files.nursery import Refused

__all__ = ["convert_odml", "looks_like_odml"]

MOST_DEPTH = 64
MOST_ELEMENTS = 1_000_000
MOST_TEXT = 2**20  # characters of one element
_ROOT = re.compile(rb"^(?:\xef\xbb\xbf)?\s*(?:<\?.*?\?>\s*|<!--.*?-->\s*)*<odML[\s>]", re.DOTALL)
_SECTION = ("type", "reference", "definition", "link", "include", "repository", "mapping")
_PROPERTY = ("definition", "mapping", "unit", "uncertainty")
_VALUE = ("uncertainty", "unit", "reference", "definition", "filename", "encoder", "checksum")


@dataclass(slots=True)
class Element:
    """One element of the document."""

    name: str
    text: list[str] = field(default_factory=list)
    children: list[Element] = field(default_factory=list)

    def all(self, name: str) -> list[Element]:
        """Give the children of a name."""
        return [child for child in self.children if child.name == name]

    def value(self, name: str) -> str | None:
        """Give the text of the first child of a name; None if there is none."""
        found = next((child for child in self.children if child.name == name), None)
        return found.content if found is not None and found.content else None

    @property
    def content(self) -> str:
        """Its own text."""
        return "".join(self.text).strip()


class _Tree:
    """Builds elements, and refuses what grows too large."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._count = 0
        self._length = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Begin an element."""
        self._count += 1
        if self._count > MOST_ELEMENTS or len(self._open) >= MOST_DEPTH:
            raise Refused(
                f"the document has more than {MOST_ELEMENTS:,} elements, or they lie more than "
                f"{MOST_DEPTH} deep in each other"
            )
        element = Element(name)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)
        self._length = 0

    def end(self, name: str) -> None:
        """End an element."""
        self._open.pop()
        self._length = 0

    def text(self, data: str) -> None:
        """Take text."""
        self._length += len(data)
        if self._length > MOST_TEXT:
            raise Refused(f"a text is longer than {MOST_TEXT:,} characters")
        self._open[-1].text.append(data)


def looks_like_odml(head: bytes) -> bool:
    """Tell by the beginning of a file whether it is an odML document."""
    return _ROOT.match(head) is not None


def parsed(path: Path) -> Element:
    """Parse a document.

    Raises
    ------
    Refused
        If it is no sound odML document, declares entities, or is too large.
    """
    tree = _Tree()
    parser = expat.ParserCreate()
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.buffer_text = True
    parser.StartElementHandler = tree.start
    parser.EndElementHandler = tree.end
    parser.CharacterDataHandler = tree.text
    parser.StartDoctypeDeclHandler = _refusing("a document type")
    parser.EntityDeclHandler = _refusing("entities")
    parser.ExternalEntityRefHandler = _refusing("external entities")
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
    except expat.ExpatError as error:
        raise Refused(f"the document is not sound XML: {error}") from error
    if tree.root is None or tree.root.name != "odML":
        raise Refused("the document is not an odML document")
    return tree.root


def _refusing(what: str) -> Callable[..., Any]:
    def refuse(*_: Any) -> Any:
        raise Refused(f"the document declares {what}; send one without")

    return refuse


def convert_odml(path: Path, manifest: Manifest) -> None:
    """Write down the sections, properties and values of a document.

    Raises
    ------
    Refused
        As `parsed` does.
    """
    root = parsed(path)
    manifest.add(
        "document",
        "document",
        attributes={
            "author": root.value("author"),
            "date": _moment(root.value("date")),
            "version": root.value("version"),
            "repository": root.value("repository"),
        },
    )
    for position, section in enumerate(root.all("section")):
        _add_section(section, manifest, ("section", position), {"document": "document"}, position)


def _moment(text: str | None) -> str | None:
    """Give a date as the catalog takes it; None where it is none."""
    if text is None:
        return None
    for reader in (datetime.fromisoformat, date.fromisoformat):
        try:
            return reader(text).isoformat()
        except ValueError:
            continue
    return None


def _add_section(
    section: Element, manifest: Manifest, key: Any, parents: dict[str, Any], position: int
) -> None:
    """Write down a section with everything below it."""
    attributes = {name: section.value(name) for name in _SECTION}
    manifest.add(
        "section",
        key,
        attributes={
            **attributes,
            "name": section.value("name") or attributes["type"] or "section",
            "odml_type": attributes["type"],
            "tree_position": position,
        },
        parents=parents,
    )
    for number, found in enumerate(section.all("property")):
        _add_property(found, manifest, (key, "property", number), key)
    for number, below in enumerate(section.all("section")):
        _add_section(below, manifest, (key, number), {"parent_section": key}, number)


def _add_property(found: Element, manifest: Manifest, key: Any, section: Any) -> None:
    """Write down a property with its values."""
    values = found.all("value")
    first = values[0] if values else Element("value")
    attributes = {name: found.value(name) for name in _PROPERTY}
    manifest.add(
        "property",
        key,
        attributes={
            **attributes,
            "name": found.value("name") or "property",
            "unit": attributes["unit"] or first.value("unit"),
            "dtype": found.value("type") or first.value("type"),
            "dependency": found.value("dependency"),
            "dependency_value": found.value("dependencyvalue")
            or found.value("dependency_value")
            or found.value("dependencyValue"),
        },
        parents={"section": section},
    )
    for number, value in enumerate(values):
        for place, text in enumerate(_texts(value)):
            manifest.add(
                "value",
                (key, number, place),
                attributes={"data": text, **{name: value.value(name) for name in _VALUE}},
                parents={"parent_property": key},
            )


def _texts(value: Element) -> list[str]:
    """Give the values of an element; version 1.1 writes several into one, in brackets."""
    text = value.content
    if not (text.startswith("[") and text.endswith("]")):
        return [text]
    rows = list(csv.reader([text[1:-1].replace("\n", " ")], skipinitialspace=True))
    return [cell.strip() for cell in rows[0]] if rows else []
