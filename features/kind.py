"""Real records and made-up ones: how they are told apart, and how made-up ones are marked.

The rule stands here once. A file of made-up records has a name that begins with `PREFIX`; by
nothing else are they known. What rests on such files is called 'simulated' wherever it is kept
(``data`` in the warehouse, in bundles, runs and answers), and everything that shows it says so.
"""

from __future__ import annotations

from typing import Literal

Data = Literal["real", "simulated"]

#: How the name of every file of simulated records begins, and that of every file made from them.
PREFIX = "SIMULATED-"

#: Said wherever the records are made up.
WARNING = "SIMULATED: these drugs, makers and figures are made up. Do not act on them."


def data_of(file: str) -> Data:
    """Return which kind of records a file holds.

    Parameters
    ----------
    file : str
        Its name, without a folder.

    Returns
    -------
    {'real', 'simulated'}
    """
    return "simulated" if file.startswith(PREFIX) else "real"


def official_name(file: str) -> str:
    """Return the name that a source gives a file, whichever kind of records it holds.

    Parameters
    ----------
    file : str
        A file's name, without a folder.

    Returns
    -------
    str
    """
    return file.removeprefix(PREFIX)


def marked(file: str, data: str) -> str:
    """Return a file's name with the mark of what it was made from.

    Parameters
    ----------
    file : str
        A name without a folder and without the mark.
    data : str
        'real' or 'simulated'.

    Returns
    -------
    str
    """
    return file if data == "real" else f"{PREFIX}{file}"


def warning(data: str) -> str:
    """Return what must be said with results of these records; '' for real ones.

    Parameters
    ----------
    data : str
        'real' or 'simulated'.

    Returns
    -------
    str
    """
    return "" if data == "real" else WARNING


def records_of(data: str) -> str:
    """Return what the records are called in a sentence.

    Parameters
    ----------
    data : str
        'real' or 'simulated'.

    Returns
    -------
    str
    """
    return "public records" if data == "real" else "SIMULATED records"
