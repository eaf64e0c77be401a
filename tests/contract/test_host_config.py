"""Config: merging, ``_BASE_``, freezing, unknown keys; and ``@configurable``."""

from __future__ import annotations

import pytest
import yaml

from vps.d2.config import CfgNode, configurable, get_cfg


@pytest.fixture
def yaml_file(tmp_path):
    def write(text: str, name: str = "config.yaml") -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    return write


def merge(path: str) -> CfgNode:
    cfg = get_cfg()
    cfg.merge_from_file(path, allow_unsafe=False)
    return cfg


def test_get_cfg_gives_copies():
    first, second = get_cfg(), get_cfg()
    first.SOLVER.BASE_LR = 7.0
    assert second.SOLVER.BASE_LR == 0.001


def test_file_over_defaults(yaml_file):
    cfg = merge(
        yaml_file("VERSION: 2\nSOLVER:\n  STEPS: (10, 20)\n  BASE_LR: 0.1\nINPUT: {FORMAT: RGB}\n")
    )
    assert cfg.SOLVER.STEPS == (10, 20)  # YAML has no tuples, a string is read as one
    assert (cfg.SOLVER.BASE_LR, cfg.INPUT.FORMAT) == (0.1, "RGB")
    assert cfg.SOLVER.MAX_ITER == 40000


def test_base_chain(yaml_file):
    yaml_file("SOLVER: {BASE_LR: 0.3, MAX_ITER: 7}\nTEST: {EVAL_PERIOD: 5}\n", "base.yaml")
    yaml_file("_BASE_: ../base.yaml\nSOLVER: {MAX_ITER: 8}\nVERSION: 2\n", "sub/middle.yaml")
    cfg = merge(yaml_file("_BASE_: middle.yaml\nSOLVER: {BASE_LR: 0.4}\n", "sub/top.yaml"))
    assert (cfg.SOLVER.BASE_LR, cfg.SOLVER.MAX_ITER, cfg.TEST.EVAL_PERIOD) == (0.4, 8, 5)


def test_several_bases(yaml_file):
    yaml_file("SOLVER: {BASE_LR: 0.3, MAX_ITER: 7}\n", "a.yaml")
    yaml_file("SOLVER: {MAX_ITER: 9}\n", "b.yaml")
    cfg = merge(yaml_file("_BASE_: [a.yaml, b.yaml]\nVERSION: 2\n"))
    assert (cfg.SOLVER.BASE_LR, cfg.SOLVER.MAX_ITER) == (0.3, 9)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("VERSION: 2\nSOLVER: {BASE_RL: 0.1}\n", KeyError),  # unknown key
        ("VERSION: 2\nNOWHERE: {A: 1}\n", KeyError),  # unknown section
        ("VERSION: 2\nSOLVER: {MAX_ITER: many}\n", ValueError),  # another type
        ("VERSION: 2\nSOLVER: 3\n", Exception),  # a number for a section
        ("VERSION: 3\n", Exception),  # a config of the future
        ("VERSION: 2\nSOLVER: {STEPS: !!python/object/apply:os.getcwd []}\n", Exception),
        ("VERSION: 2\nSOLVER: {MAX_ITER: [1\n", Exception),  # no YAML
    ],
)
def test_bad_files_raise(yaml_file, text, error):
    with pytest.raises(error):
        merge(yaml_file(text))


def test_missing_file_raises(tmp_path):
    with pytest.raises((AssertionError, FileNotFoundError), match=r"nowhere\.yaml"):
        get_cfg().merge_from_file(str(tmp_path / "nowhere.yaml"))


def test_list_over_config():
    cfg = get_cfg()
    cfg.merge_from_list(["SOLVER.BASE_LR", "0.5", "DATASETS.TRAIN", "('a', 'b')", "SEED", 3])
    assert (cfg.SOLVER.BASE_LR, cfg.DATASETS.TRAIN, cfg.SEED) == (0.5, ("a", "b"), 3)
    with pytest.raises(AssertionError):
        cfg.merge_from_list(["SOLVER.NO_SUCH_KEY", "1"])
    with pytest.raises(AssertionError):
        cfg.merge_from_list(["SEED"])


def test_freeze_and_clone():
    cfg = get_cfg()
    cfg.freeze()
    assert cfg.is_frozen()
    with pytest.raises(AttributeError):
        cfg.SEED = 1
    with pytest.raises(AttributeError):
        cfg.SOLVER.BASE_LR = 1.0
    copy = cfg.clone()
    copy.defrost()
    copy.SEED = 5
    assert cfg.SEED == -1


def test_new_nodes_and_dump(yaml_file):
    cfg = get_cfg()
    cfg.MODEL.MINE = CfgNode({"WIDTH": 3, "NAMES": ("a",)})
    cfg.MODEL.MINE.WIDTH = 4
    again = get_cfg()
    again.MODEL.MINE = CfgNode({"WIDTH": 0, "NAMES": ()})
    again.merge_from_file(yaml_file(cfg.dump()), allow_unsafe=False)
    # compared as YAML: tuples within tuples come back as lists
    assert yaml.safe_load(again.dump()) == yaml.safe_load(cfg.dump())


class Head:
    @configurable
    def __init__(self, channels, *, norm="", scale=1.0):
        self.arguments = (channels, norm, scale)

    @classmethod
    def from_config(cls, cfg, channels=8):
        return {"channels": channels, "norm": cfg.MODEL.FPN.NORM}


class WideHead(Head):
    @classmethod
    def from_config(cls, cfg, channels=8):
        return {**super().from_config(cfg, channels), "channels": 10 * channels}


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda cfg: Head(3), (3, "", 1.0)),
        (lambda cfg: Head(channels=3, norm="BN"), (3, "BN", 1.0)),
        (lambda cfg: Head(cfg), (8, "GN", 1.0)),
        (lambda cfg: Head(cfg=cfg), (8, "GN", 1.0)),
        (lambda cfg: Head(cfg, 5), (5, "GN", 1.0)),
        (lambda cfg: Head(cfg, channels=5, scale=2.0), (5, "GN", 2.0)),
        (lambda cfg: Head(cfg, norm="LN"), (8, "LN", 1.0)),  # overrides what from_config says
        (lambda cfg: WideHead(cfg, 5), (50, "GN", 1.0)),
    ],
)
def test_configurable_class(build, expected):
    cfg = get_cfg()
    cfg.MODEL.FPN.NORM = "GN"
    assert build(cfg).arguments == expected


def test_configurable_function():
    @configurable(from_config=lambda cfg, extra=0: {"seed": cfg.SEED + extra})
    def area(seed, width=2):
        return seed * width

    assert area(5) == 10
    assert area(get_cfg()) == -2
    assert area(get_cfg(), extra=4, width=10) == 30


def test_configurable_without_from_config():
    class Plain:
        @configurable
        def __init__(self, a):
            self.a = a

    with pytest.raises(AttributeError, match="from_config"):
        Plain(get_cfg())
    with pytest.raises(AssertionError):
        configurable(lambda a: a)
