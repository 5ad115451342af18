"""Energy and area figures, each row with its source."""
