"""Accelergy's forms: energy and area reference tables, action counts, energy estimations (YAML)."""
