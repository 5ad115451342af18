"""Number formats: what a code means."""
