"""Reproducible measurements; each module prints one JSON document with its bars."""
