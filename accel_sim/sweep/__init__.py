"""Studies: a run at every point of a space of settings, on several processes, begun again where it was left."""
