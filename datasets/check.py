#!/usr/bin/env python
"""Check a data set: ``python datasets/check.py NAME``, the same as ``python -m vps.data.check``."""

import sys

from vps.data.check.command import main

if __name__ == "__main__":
    sys.exit(main())
