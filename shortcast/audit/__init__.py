"""The poisoned future: falsify what came later, and demand that the past stays as it was."""

from __future__ import annotations

from shortcast.audit.future import poisoned_future

__all__ = ["poisoned_future"]
