"""Encodings, one file each, found by name through workloads.encoding.encodings."""
