"""What holds for all tests."""

from __future__ import annotations

import os

os.environ["EPHYRUS_CACHE"] = "off"  # indexes of test files stay out of the user's cache folder
