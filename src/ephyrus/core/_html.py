"""Containers and data objects as HTML for notebooks: a tree to unfold, or a table of facts."""

from __future__ import annotations

from typing import Any

from ephyrus._shared.html import BOX, TITLE, facts_html, html_text, rows_html
from ephyrus.core._describe import Node, annotation_text, facts, heading, tree
from ephyrus.core.baseneo import BaseNeo
from ephyrus.core.container import Container

__all__ = ["html"]

MOST_ITEMS = 20  # of each list of a container
MOST_NODES = 300  # of a tree
OPEN_LEVELS = 2  # of a tree that are unfolded at first
_BRANCH = "margin-left:1.2em"
_SOFT = "opacity:.7"


def html(obj: BaseNeo) -> str:
    """Describe an object as a ``div``; everything is escaped and nothing is loaded.

    Parameters
    ----------
    obj : BaseNeo

    Returns
    -------
    str
        Without scripts; it loads nothing from anywhere.
    """
    known: list[tuple[str, Any]] = [
        ("Description", obj.description),
        ("Origin", obj.file_origin),
    ]
    parts = [f'<div style="{TITLE}">{html_text(heading(obj))}</div>']
    if isinstance(obj, Container):
        top = tree(obj, MOST_ITEMS, MOST_NODES, annotations=False)
        parts.append(facts_html([*top.facts, *known]))
        parts += [_branch(child, OPEN_LEVELS - 1) for child in top.children]
    else:
        parts.append(facts_html([*facts(obj), *known]))
    return f'<div class="ephyrus-object" style="{BOX}">{"".join(parts)}{_annotations(obj)}</div>'


def _branch(node: Node, open_levels: int) -> str:
    """Give a node and what is below it; folded unless levels are to be open."""
    line = html_text(node.title)
    if node.facts:
        line += f' <span style="{_SOFT}">{html_text(node.told)}</span>'
    if not node.children:
        return f'<div style="{_BRANCH}">{line}</div>'
    inner = "".join(_branch(child, open_levels - 1) for child in node.children)
    opened = " open" if open_levels > 0 else ""
    return f'<details style="{_BRANCH}"{opened}><summary>{line}</summary>{inner}</details>'


def _annotations(obj: BaseNeo) -> str:
    """Give tables of annotations and of what is known of array annotations."""
    rows = [(key, annotation_text(value)) for key, value in obj.annotations.items()]
    arrays = getattr(obj, "_array_annotations", None) or {}
    columns = [(key, annotation_text(value)) for key, value in arrays.items()]
    heads = ("Name", "Value")
    return rows_html("Annotations", heads, rows) + rows_html("Array annotations", heads, columns)
