"""Gapped k-mer string kernels (gkm-SVM, GaKCo): exact, sampled and as explicit features, for any alphabet."""
