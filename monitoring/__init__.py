"""Freshness, drift, the forecast log and its scoreboard, job runs and service metrics."""
