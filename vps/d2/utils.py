"""Tools around training: talk between processes, events, logs, paths, registries, seeds."""

from .contract import resolve

__all__ = [
    "CommonMetricPrinter",
    "EventStorage",
    "JSONWriter",
    "PathManager",
    "Registry",
    "TensorboardXWriter",
    "comm",
    "get_event_storage",
    "log_first_n",
    "seed_all_rng",
    "setup_logger",
]

comm, PathManager, Registry, seed_all_rng = resolve(
    "utils", "comm", "PathManager", "Registry", "seed_all_rng"
)
EventStorage, get_event_storage = resolve("utils", "EventStorage", "get_event_storage")
JSONWriter, CommonMetricPrinter, TensorboardXWriter = resolve(
    "utils", "JSONWriter", "CommonMetricPrinter", "TensorboardXWriter"
)
setup_logger, log_first_n = resolve("utils", "setup_logger", "log_first_n")
