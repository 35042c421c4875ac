"""Commented configuration files that `winback init` writes."""
