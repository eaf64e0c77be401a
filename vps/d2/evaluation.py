"""Evaluation: the evaluators' base class, the loop that feeds them, and what is done with their
results.
"""

from .contract import resolve

__all__ = [
    "DatasetEvaluator",
    "DatasetEvaluators",
    "inference_context",
    "inference_on_dataset",
    "print_csv_format",
    "verify_results",
]

DatasetEvaluator, DatasetEvaluators, inference_on_dataset, inference_context = resolve(
    "evaluation",
    "DatasetEvaluator",
    "DatasetEvaluators",
    "inference_on_dataset",
    "inference_context",
)
print_csv_format, verify_results = resolve("evaluation", "print_csv_format", "verify_results")
