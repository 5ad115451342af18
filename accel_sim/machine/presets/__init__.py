"""Hardware presets, one YAML file each."""
