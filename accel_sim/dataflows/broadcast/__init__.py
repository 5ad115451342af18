"""Weights kept column by column in lanes, and inputs that are broadcast to all of them."""
