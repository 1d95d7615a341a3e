"""`python -m skhash`: the same as the command `skhash`."""

import sys

from skhash.cli import main

if __name__ == "__main__":
    sys.exit(main())
