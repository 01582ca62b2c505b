"""Sparse graphs of the same variables in several contexts: what they share, what is specific, what changed."""
