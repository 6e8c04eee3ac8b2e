"""Outcomes, walk-forward splits, models, calibration, backtests, tracking and promotion."""

import os

# LightGBM's OpenMP threads spin while they wait for one another. On a machine that does other
# work besides, that makes a fit five times slower; threads that sleep cost nothing. The variable
# is read when the library is loaded, hence here, before any module that loads it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
