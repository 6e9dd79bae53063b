"""What the command line offers for NIX files, for use from Python."""

from __future__ import annotations

from ephyrus.nix.upgrade import file_upgrade

__all__ = ["file_upgrade"]
