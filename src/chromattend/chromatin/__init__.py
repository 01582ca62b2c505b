"""Histone marks around the TSS and the expression of genes."""
