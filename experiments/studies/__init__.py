"""Worked studies (see docs/studies.md): YAML for `accel-sim sweep`."""
