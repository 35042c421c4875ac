"""Data contracts, ingestion, the warehouse, customer histories and the feature matrix."""
