"""Matrix products cut into folds of a systolic array."""
