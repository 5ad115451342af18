"""The computer a simulation runs on: files written whole, signals, YAML, what a command prints."""
