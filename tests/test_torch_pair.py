"""A wrong pair of torch and torchvision is told in a sentence that says what to do."""

import sys

import pytest

from vps.torch_pair import check_torch_pair


def test_the_installed_pair_works():
    check_torch_pair()


@pytest.mark.parametrize(
    "failure",
    [RuntimeError("operator torchvision::nms does not exist"), ImportError("no such library")],
)
def test_a_wrong_pair_is_named(monkeypatch, failure):
    class Broken:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == "torchvision":
                raise failure
            return None

    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Broken, *sys.meta_path])
    with pytest.raises(ImportError, match=r"torch \d.*torchvision \d.*pip install -c constraints"):
        check_torch_pair()
