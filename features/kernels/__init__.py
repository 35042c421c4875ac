"""Numba feature kernels: small blocks that walk one customer's history."""
