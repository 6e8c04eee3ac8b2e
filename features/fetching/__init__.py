"""Fetching public records from their official addresses into the archive.

`fetch` asks the sources; each says in its own module how (`shortcast.features.sources.fetching`).
What comes is checked before it enters the archive, and is set apart where a check fails.
"""

from __future__ import annotations

# Each registers the ways that it walks.
from shortcast.features.fetching import captures, catalogues, drifting, portals  # noqa: F401
from shortcast.features.fetching.log import Outcome, latest_outcomes, read_log
from shortcast.features.fetching.run import FetchReport, fetch, plan

__all__ = ["FetchReport", "Outcome", "fetch", "latest_outcomes", "plan", "read_log"]
