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


INTERRUPT_STATUS = 130  # after Ctrl-C, as shells count: 128 and the number of the signal


def exit_status(
    work: Callable[..., object], *args: object, interrupted: str = "interrupted"
) -> int:
    """Run the work of a tool: 0; 2 after an InputError, which is said on stderr in one line; or 130
    after Ctrl-C, where the line is ``interrupted``.
    """
    try:
        work(*args)
    except InputError as error:
        sys.stderr.write(f"error: {error}\n")
        return INPUT_ERROR_STATUS
    except (KeyboardInterrupt, SystemError) as error:
        if not _stems_from_interrupt(error):
            raise
        sys.stderr.write(f"{interrupted}\n")
        return INTERRUPT_STATUS
    return 0


def _stems_from_interrupt(error: BaseException | None) -> bool:
    """Compiled code that Ctrl-C meets on its way out turns it into a SystemError."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__
    return error is not None
