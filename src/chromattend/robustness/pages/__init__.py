"""Pages of the track robustness."""
