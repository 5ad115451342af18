"""On-chip networks, one file per part; `common` holds what they share."""
