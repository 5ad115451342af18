"""Floor 3: one script = one question = one table and one figure, our figures beside published ones."""
