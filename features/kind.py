"""Real records and made-up ones: how they are told apart, and how made-up ones are marked.

The rule stands here once. A file of made-up records has a name that begins with `PREFIX`; by
nothing else are they known. What rests on such files is called 'simulated' wherever it is kept
(``data`` in the warehouse, in bundles, runs and answers), and everything that shows it says so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Data = Literal["real", "simulated"]

#: How the name of every file of simulated records begins, and that of what is made from them
#: and names itself.
PREFIX = "SIMULATED-"

#: Stands in a folder whose files must keep their names.
MARK = "SIMULATED.txt"

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
    """Return the name of a file, or of a run, with the mark of what it was made from.

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


def data_of_tree(tree: Path) -> Data:
    """Return which kind of records a tree ``SOURCE/AS_OF/FILE`` holds.

    Parameters
    ----------
    tree : Path
        The folder, of records of one kind.

    Returns
    -------
    {'real', 'simulated'}
        Simulated if any file is.
    """
    return "simulated" if any(tree.glob(f"*/*/{PREFIX}*")) else "real"


def metadata(data: str) -> dict[str, str]:
    """Return the key-value metadata of a Parquet file made from these records.

    Parameters
    ----------
    data : str
        'real' or 'simulated'.

    Returns
    -------
    dict of str to str
        Empty for real ones.
    """
    return {} if data == "real" else {"shortcast.data": data}


def mark_folder(folder: Path, data: str) -> None:
    """Put the mark beside files whose names are fixed, or take away that of an earlier run.

    Parameters
    ----------
    folder : Path
        The folder, which is there.
    data : str
        'real' or 'simulated': what all that lies in it was made from.
    """
    mark = folder / MARK
    if data == "real":
        mark.unlink(missing_ok=True)
    else:
        mark.write_text(f"{WARNING}\nThis is so for every file in this folder.\n", "utf-8")


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


def named(source: str, data: str) -> str:
    """Return how the source of rows is named, which of made-up rows is no public body.

    Parameters
    ----------
    source : str
        Who publishes such records, or what they are called: 'FDA warning letters'.
    data : str
        'real' or 'simulated'.

    Returns
    -------
    str
    """
    return source if data == "real" else f"SIMULATED, in the format of {source}"


def of_real_source(text: str, data: str) -> str:
    """Return what is so of a source, its publisher or terms, as not being so of made-up rows.

    Parameters
    ----------
    text : str
        What is so of the real source.
    data : str
        'real' or 'simulated'.

    Returns
    -------
    str
    """
    return text if data == "real" else f"SIMULATED; of the real source: {text}"


def shortage_list(data: str) -> str:
    """Return what the list of shortages is called in a sentence, after 'the'.

    Parameters
    ----------
    data : str
        'real' or 'simulated'.

    Returns
    -------
    str
    """
    if data == "real":
        return "FDA drug shortage list"
    return "SIMULATED shortage list in the format of the FDA's"


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
