"""A machine as one frozen record, equal to its YAML."""
