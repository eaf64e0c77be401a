"""Every name of the contract exists where its table says, and takes the parameters it promises."""

from __future__ import annotations

import importlib
import inspect

import pytest

from vps.d2.contract import CONTRACT, find

ROWS = [(module, name) for module, names in CONTRACT.items() for name in names]


@pytest.mark.parametrize(("module", "name"), ROWS, ids=[f"{m}.{n}" for m, n in ROWS])
def test_the_host_serves_the_name(module, name):
    served = find(module, name)
    row = CONTRACT[module][name]
    assert inspect.ismodule(served) == row.is_module
    if row.parameters:
        signature = inspect.signature(served)
        assert set(row.parameters) <= set(signature.parameters), signature


@pytest.mark.parametrize("module", [module for module in CONTRACT if "." not in module])
def test_the_seam_exports_exactly_the_table(module):
    seam = importlib.import_module(f"vps.d2.{module}")
    assert sorted(seam.__all__) == sorted(CONTRACT[module])
    for name in CONTRACT[module]:
        assert getattr(seam, name) is find(module, name), name


@pytest.mark.parametrize("module", [module for module in CONTRACT if "." in module])
def test_names_within_a_module_of_the_host(module):
    seam, inner = module.split(".")
    for name in CONTRACT[module]:
        assert getattr(find(seam, inner), name) is find(module, name), name
