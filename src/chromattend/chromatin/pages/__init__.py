"""The pages of a study of chromatin: one self-contained HTML file each."""
