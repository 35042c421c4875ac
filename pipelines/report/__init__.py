"""The nightly report: its figures, its HTML page and the list's manifest."""
