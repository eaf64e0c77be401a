"""``python -m vps.data.check``."""

import sys

from vps.data.check.command import main

if __name__ == "__main__":
    sys.exit(main())
