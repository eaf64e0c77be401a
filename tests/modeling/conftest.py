"""The device that stands for a GPU; this folder's modules can be imported by the tests below it."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pretend_gpu
import pytest


@pytest.fixture(scope="module")
def on_pretended_gpu():
    """``call(function, *arguments)``: a test module's ``function(device, *arguments)`` on a device
    that treats the program as a GPU does; what it returns must be no tensor.

    In a process of its own: autograd counts the devices once, at the first backward pass.
    """
    if not pretend_gpu.is_possible():
        pytest.skip("needs a torch in which Python can register a device")
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        yield lambda *call: pool.submit(pretend_gpu.call, *call).result()
