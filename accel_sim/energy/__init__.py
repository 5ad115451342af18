"""Counts become pJ and areas: the tables of operations, and the fitted figures of whole MAC units in ``mac``."""
