"""The page of a backtest: one HTML file with every figure, its baselines and its intervals."""
