"""Benchmarks: each prints a table, and writes it as json where asked."""
