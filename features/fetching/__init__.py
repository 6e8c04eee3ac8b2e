"""Fetching public records from their official addresses into the archive.

`fetch` asks the sources; each says in its own module how (`shortcast.features.sources.fetching`).
What comes is checked before it enters the archive, and is set apart where a check fails.
"""

from __future__ import annotations

from shortcast.features.fetch_log import Outcome, read_log, standings

# Each registers the ways that it walks.
from shortcast.features.fetching import captures, catalogues, drifting, portals  # noqa: F401
from shortcast.features.fetching.run import FetchReport, fetch, plan

__all__ = ["FetchReport", "Outcome", "fetch", "plan", "read_log", "standings"]
