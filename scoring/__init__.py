"""Predict, decide, schedule, explain, and write the recall list."""
