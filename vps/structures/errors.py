"""The one error for bad input: a sentence with the file, the field, what was expected and what
was found.
"""

from __future__ import annotations

import sys
from collections.abc import Callable


class InputError(ValueError):
    """Bad input of the user's: a file, a field or a value that cannot be used.

    The message is one sentence that names the file, the field, what was expected and what was found
    and, where there is one, what to try. The tools print it as ``error: ...`` and exit with status
    2.
    """


INPUT_ERROR_STATUS = 2  # exit status of a tool after bad input, as argparse's after a wrong option


def exit_status(work: Callable[..., object], *args: object) -> int:
    """Run the work of a tool: 0, or 2 after an InputError, which is said on stderr in one line."""
    try:
        work(*args)
    except InputError as error:
        sys.stderr.write(f"error: {error}\n")
        return INPUT_ERROR_STATUS
    return 0
