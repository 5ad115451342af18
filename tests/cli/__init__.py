"""The command line end to end, almost always in this process (a subprocess costs seconds)."""
