"""Energy of MAC units: fitted coefficients and measured ratios, each row with its source."""
