"""How complete the data behind a drug's row are, group by group, with the reason for gaps."""

from __future__ import annotations

from typing import Any

import pandas as pd

from shortcast.features import groups


def completeness(panel: pd.DataFrame) -> pd.Series:
    """Return for each row of a panel which feature groups had data, and why others did not.

    A group counts as known where at least one of its features that may be missing has a
    value; a group none of whose features may be missing is always known.

    Parameters
    ----------
    panel : DataFrame
        Rows of the panel, with the features of every group.

    Returns
    -------
    Series of dict
        ``{"share": 0..1, "groups": [{"group", "title", "known", "why"}, ...]}``, with the
        panel's index; ``why`` is '' where the group is known.
    """
    registry = groups.registry()
    known = pd.DataFrame(index=panel.index)
    why = pd.DataFrame(index=panel.index)
    for name, group in registry.items():
        optional = [f for f in group.features if f.missing]
        if not optional:
            known[name], why[name] = True, ""
            continue
        known[name] = panel[[f.name for f in optional]].notna().any(axis=1)
        reasons = "; ".join(dict.fromkeys(f.missing for f in optional))
        why[name] = known[name].map({True: "", False: reasons})
    titles = {name: group.title for name, group in registry.items()}
    records: list[dict[str, Any]] = [
        {
            "share": round(sum(is_known) / len(titles), 3),
            "groups": [
                {"group": name, "title": title, "known": bool(k), "why": reason}
                for (name, title), k, reason in zip(titles.items(), is_known, reasons, strict=True)
            ],
        }
        for is_known, reasons in zip(
            known.itertuples(index=False, name=None),
            why.itertuples(index=False, name=None),
            strict=True,
        )
    ]
    return pd.Series(records, index=panel.index, dtype=object)
