"""Networks for histone marks around the TSS, one file each, and baselines."""
