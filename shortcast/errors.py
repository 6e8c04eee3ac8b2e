"""The errors that a user may see: one clear sentence each."""

from __future__ import annotations


def was_interrupted(error: BaseException) -> bool:
    """Return whether an error is what DuckDB makes of an interrupt amid a query.

    Parameters
    ----------
    error : BaseException
        Whatever was raised.
    """
    return isinstance(error, RuntimeError) and str(error) == "Query interrupted"


class ShortcastError(Exception):
    """A failure whose message says what is wrong, where, and what to do.

    The command line prints the message alone and exits with 1; anything that is not
    a ``ShortcastError`` is a defect and shows its traceback.
    """
