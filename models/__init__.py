"""What is fitted, and its artefact on disk. No data access."""
