"""``python -m ephyrus``: the command line."""

import sys

from ephyrus.cli import main

if __name__ == "__main__":
    sys.exit(main())
