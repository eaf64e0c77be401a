"""The one error for bad input: a sentence with the file, the field, what was expected and what
was found.
"""


class InputError(ValueError):
    """Bad input of the user's: a file, a field or a value that cannot be used.

    The message is one sentence that names the file, the field, what was expected and what was found
    and, where there is one, what to try. The tools print it as ``error: ...`` and exit with status
    2.
    """
