"""Published figures that experiments are held against; each file begins with its source."""
