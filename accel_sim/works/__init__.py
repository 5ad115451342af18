"""Kinds of work, one a file: each says how long it takes an array, exactly and without stepping an empty cycle."""
