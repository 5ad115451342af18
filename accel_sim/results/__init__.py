"""What a run leaves: its directory, its figures, its table in a terminal; and experiments, which leave the same."""
