"""Gapped k-mer string kernels (gkm-SVM, GaKCo): exact, sampled and as explicit features, for any alphabet."""

from chromattend.sequence.kernel.exact import GappedKmerKernel, gapped_kmer_kernel, self_kernel

__all__ = ["GappedKmerKernel", "gapped_kmer_kernel", "self_kernel"]
