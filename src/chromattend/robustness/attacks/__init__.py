"""Attacks on any differentiable classifier of inputs within bounds."""
