"""Energy and area of MAC units: a fitted component model, measured ratios, and one table of who is priced how."""
