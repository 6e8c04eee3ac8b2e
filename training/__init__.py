"""Outcomes, walk-forward splits, models, calibration, backtests, tracking and promotion."""
