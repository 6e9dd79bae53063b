"""Run the command line as ``python -m ephyrus.cli``."""

import sys

from ephyrus.cli import main

sys.exit(main())
