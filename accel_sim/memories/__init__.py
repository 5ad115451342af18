"""Memory levels, one file each."""
