"""The device that stands for a GPU; this folder's modules can be imported by the tests below it."""

from __future__ import annotations

import pretend_gpu as device
import pytest


@pytest.fixture
def pretend_gpu():
    """A ``torch.device`` that treats the program as a GPU does."""
    if not device.register():
        pytest.skip("needs a torch in which Python can register a device")
    with device.pretended() as pretended:
        yield pretended
