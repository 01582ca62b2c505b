"""Pages of the track graphs: one page a set, and the index of all sets."""
