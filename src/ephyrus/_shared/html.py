"""Pieces of HTML for notebooks and pages; whatever is put into them is escaped.

Nothing here has scripts or loads anything, and colours are those of the page around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

__all__ = ["BOX", "TITLE", "facts_html", "html_text", "rows_html"]

BOX = "font-family:system-ui,sans-serif;font-size:13px;line-height:1.45;max-width:60em"
TITLE = "font-weight:600;font-size:15px;margin-bottom:.3em"
_CELL = "padding:.15em 1em .15em 0;text-align:left;vertical-align:top;background:none"
_HEAD = f"{_CELL};font-weight:600;border-bottom:1px solid currentColor"
_LINES = "border-collapse:collapse;margin:.3em 0 .6em"
_MOST_ROWS = 200


def html_text(value: Any) -> str:
    """Give a value as escaped text; None as nothing."""
    return "" if value is None else escape(str(value))


def _cell_html(value: Any) -> str:
    return f'<td style="{_CELL}">{html_text(value)}</td>'


def rows_html(title: str, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Make a section with a table; long ones are cut with a note."""
    if not rows:
        return ""
    head = "".join(f'<th style="{_HEAD}">{html_text(each)}</th>' for each in heads)
    shown = "".join(f"<tr>{''.join(map(_cell_html, row))}</tr>" for row in rows[:_MOST_ROWS])
    more = len(rows) - _MOST_ROWS
    note = f"<div>and {more:,} more</div>" if more > 0 else ""
    return (
        f"<details open><summary>{html_text(title)} ({len(rows):,})</summary>"
        f'<table style="{_LINES}"><thead><tr>{head}</tr></thead><tbody>{shown}</tbody></table>'
        f"{note}</details>"
    )


def facts_html(facts: Sequence[tuple[str, Any]]) -> str:
    """Make a table of names and values; those that are None are left out."""
    rows = "".join(
        f'<tr><th style="{_CELL};font-weight:600">{html_text(name)}</th>'
        f'<td style="{_CELL}">{html_text(value)}</td></tr>'
        for name, value in facts
        if value is not None
    )
    return f'<table style="{_LINES}"><tbody>{rows}</tbody></table>'
