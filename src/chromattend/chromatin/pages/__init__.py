"""The pages of a chromatin study, one self-contained HTML file each."""
