"""``ephyrus nix diff``: what differs between two files."""

from __future__ import annotations

from typing import Any

import numpy as np

from ephyrus.cli import console
from ephyrus.cli.failures import FINE, PROBLEMS
from ephyrus.cli.nix.facts import Node, entities, opened

__all__ = ["run"]

PIECE_VALUES = 2**20


def run(first: str, second: str, *, with_ids: bool, as_json: bool) -> int:
    """Show the differences of two files; gives the exit code."""
    with opened(first) as one, opened(second) as two:
        found = _differences(_by_path(one), _by_path(two), with_ids=with_ids)
    if as_json:
        console.write_json(found)
    else:
        for each in found:
            console.say(console.plain(_line(each)))
        if not found:
            console.say("no differences")
    return PROBLEMS if found else FINE


def _by_path(file: Any) -> dict[str, Node]:
    return {path: node for root in entities(file) for path, node in root.walk()}


def _differences(
    one: dict[str, Node], two: dict[str, Node], *, with_ids: bool
) -> list[dict[str, Any]]:
    """List what is in one file only, and what differs."""
    found: list[dict[str, Any]] = [
        {"path": path, "change": "only in the first"} for path in one if path not in two
    ]
    found += [{"path": path, "change": "only in the second"} for path in two if path not in one]
    for path, node in one.items():
        other = two.get(path)
        if other is not None:
            found += [{"path": path, **each} for each in _changes(node, other, with_ids=with_ids)]
    return found


def _changes(node: Node, other: Node, *, with_ids: bool) -> list[dict[str, Any]]:
    """List how two entities differ."""
    mine, theirs = _all_facts(node, with_ids=with_ids), _all_facts(other, with_ids=with_ids)
    changes = [
        {"change": name, "first": mine.get(name), "second": theirs.get(name)}
        for name in dict.fromkeys([*mine, *theirs])
        if not _equal(mine.get(name), theirs.get(name))
    ]
    if node.kind == "data array" and mine.get("shape") == theirs.get("shape"):
        count = _different_values(node.entity, other.entity)
        if count:
            changes.append({"change": "values", "different": count})
    return changes


def _all_facts(node: Node, *, with_ids: bool) -> dict[str, Any]:
    facts = {name: value for name, value in node.facts.items() if name != "properties"}
    for name, value in node.facts.get("properties", {}).items():
        facts[f"property {name}"] = value
    if with_ids:
        entity = node.entity
        facts |= {"id": entity.id, "created at": entity.created_at}
    return facts


def _equal(mine: Any, theirs: Any) -> bool:
    """Compare facts; what is no number equals itself."""
    return bool(mine == theirs) or repr(mine) == repr(theirs)


def _different_values(mine: Any, theirs: Any) -> int:
    """Count the values that differ, piece by piece."""
    shape = mine.shape
    if not shape or 0 in shape:
        return 0
    rows = max(1, PIECE_VALUES // max(int(np.prod(shape[1:])), 1))
    count = 0
    for start in range(0, shape[0], rows):
        one, two = (np.asarray(each[start : start + rows]) for each in (mine, theirs))
        differs = one != two
        if one.dtype.kind == "f" and two.dtype.kind == "f":
            differs &= ~(np.isnan(one) & np.isnan(two))
        count += int(np.count_nonzero(differs))
    return count


def _line(each: dict[str, Any]) -> str:
    if "different" in each:
        return f"{each['path']}: {each['different']} values differ"
    if "first" in each:
        return f"{each['path']}: {each['change']}: {each['first']} -> {each['second']}"
    return f"{each['path']}: {each['change']}"
