"""Entry point of a worker process."""

import sys

from covet._worker._process import main

if __name__ == "__main__":
    sys.exit(main())
