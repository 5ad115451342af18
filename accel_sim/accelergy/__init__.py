"""Accelergy's forms: energy and area reference tables, action counts, energy estimations (YAML)."""

#: the version that is written, and those that are read; before 0.3 tables were a mapping, since then they are a list
VERSION, VERSIONS = "0.4", ("0.2", "0.3", "0.4")
#: Accelergy's static power of a component, an action that is counted in cycles; and what it is called here
LEAK, STATIC = "leak", ("leakage", "background")
#: the argument that holds the bits of an access
WIDTH = "width"
