"""``ephyrus nix tree`` and ``ephyrus nix dump``."""

from __future__ import annotations

from typing import Any

import numpy as np

from ephyrus.cli import console
from ephyrus.cli.nix.facts import Node, entities, opened
from ephyrus.cli.words import size as byte_count

__all__ = ["dump", "tree"]

INDENT = "  "


def tree(path: str, *, depth: int | None, as_json: bool) -> int:
    """Show what is in a file; gives the exit code."""
    with opened(path) as file:
        nodes = entities(file)
        if as_json:
            console.write_json([_entry(node, depth) for node in nodes])
            return 0
        version = ".".join(map(str, file.version))
        console.say(console.plain(f"{path}  (NIX {version})"))
        for node in nodes:
            _show_tree(node, 1, depth)
    return 0


def _entry(node: Node, depth: int | None, values: int | None = None) -> dict[str, Any]:
    """Give a node for programs."""
    entry = {"kind": node.kind, "name": node.name, "id": node.entity.id, **node.facts}
    if node.size:
        entry["bytes"] = node.size
    if values is not None:
        entry |= _values(node, values)
    if depth is None or depth > 1:
        below = None if depth is None else depth - 1
        entry["children"] = [_entry(child, below, values) for child in node.children]
    return entry


def _show_tree(node: Node, level: int, depth: int | None) -> None:
    console.say(INDENT * level + console.plain(f"{node.kind} {node.name}  {_summary(node)}"))
    if depth is not None and level >= depth:
        return
    for child in node.children:
        _show_tree(child, level + 1, depth)


def _summary(node: Node) -> str:
    """Say in a few words what a node is."""
    facts = node.facts
    parts = [f"[{facts.get('type', '')}]"]
    if "shape" in facts:
        shape = " x ".join(map(str, facts["shape"])) or "empty"
        parts.append(f"{shape} {facts['data type']}")
        parts += [facts["unit"]] if "unit" in facts else []
        parts.append(byte_count(node.size))
        parts += [_dimension(each) for each in facts.get("dimensions", ())]
    elif node.kind == "data frame":
        parts.append(f"{facts.get('rows', 0)} rows, columns {', '.join(facts.get('columns', ()))}")
    elif node.kind == "section":
        parts.append(_count(len(facts.get("properties", ())), "property", "properties"))
    elif node.kind == "block":
        parts.append(byte_count(node.size))
    for name in ("references", "data_arrays", "multi_tags", "tags", "features"):
        if name in facts:
            parts.append(f"{len(facts[name])} {name.replace('_', ' ')}")
    return " ".join(parts[:1]) + ("  " + ", ".join(parts[1:]) if parts[1:] else "")


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _dimension(facts: dict[str, Any]) -> str:
    """Say in a few words what an axis is."""
    unit = facts.get("unit", "")
    what = f"{facts['label']} " if "label" in facts else ""
    if "sampling_interval" in facts:
        return f"{what}every {facts['sampling_interval']:g} {unit}".rstrip()
    if "ticks" in facts:
        return f"{what}at {facts['ticks']} ticks {unit}".rstrip()
    return f"{what}{facts['kind']}"


def dump(path: str, *, values: int, as_json: bool) -> int:
    """Show everything that is set in a file; gives the exit code."""
    with opened(path) as file:
        nodes = entities(file)
        if as_json:
            console.write_json([_entry(node, None, values) for node in nodes])
            return 0
        for node in nodes:
            _show_all(node, 0, values)
    return 0


def _show_all(node: Node, level: int, values: int) -> None:
    console.say(INDENT * level + console.plain(f"{node.kind} {node.name}  {node.entity.id}"))
    facts = node.facts | _values(node, values)
    for name, value in facts.items():
        _show_fact(name, value, level + 1)
    for child in node.children:
        _show_all(child, level + 1, values)


def _show_fact(name: str, value: Any, level: int) -> None:
    blanks = INDENT * level
    if isinstance(value, dict) and name == "properties":
        for key, each in value.items():
            more = {word: fact for word, fact in each.items() if word != "values"}
            shown = ", ".join(map(str, each["values"]))
            notes = "".join(f"  ({word}: {fact})" for word, fact in more.items() if word != "unit")
            unit = f" {more['unit']}" if "unit" in more else ""
            console.say(blanks + console.plain(f"{key} = {shown}{unit}{notes}"))
        return
    if isinstance(value, list | tuple):
        value = ", ".join(map(str, value))
    console.say(blanks + console.plain(f"{name}: {value}"))


def _values(node: Node, count: int) -> dict[str, Any]:
    """Give the first values of a data array."""
    if node.kind != "data array" or not count:
        return {}
    shape = node.facts.get("shape", [])
    if not shape or 0 in shape:
        return {"values": []}
    rows = max(1, count // max(int(np.prod(shape[1:])), 1))
    inner = tuple(slice(0, count) for _ in shape[1:])
    found = np.asarray(node.entity[(slice(0, rows), *inner)]).ravel()[:count]
    return {"values": found.tolist()}
