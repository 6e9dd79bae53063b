"""The command line ``ephyrus``: thin commands, and the only code that prints.

:mod:`ephyrus.cli.app` holds the surface (commands, options, help); one module per command does the
work and is imported when the command runs. Exit codes: 0 fine, 1 problems were found or some files
failed, 2 wrong usage or nothing could be read; 130 after Ctrl-C.
"""

from __future__ import annotations

from ephyrus.cli.app import app
from ephyrus.cli.program import main

__all__ = ["app", "main"]
