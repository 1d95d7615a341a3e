"""`python -m skhash.demo`: the same as `skhash serve`."""

import sys

from skhash.cli import main

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]]))
