"""MAC units, one file each."""
