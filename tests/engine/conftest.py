"""The toy data set, made once for all tests of the engine."""

from __future__ import annotations

import pytest
import torch
from engine_toy import make_data, register_toy

# The number of threads decides the order of sums: also fixtures of a module, which come before
# those of a test, must use the same.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def toy_root(tmp_path_factory):
    root = make_data(tmp_path_factory.mktemp("engine_toy"))
    register_toy(root)
    return root
