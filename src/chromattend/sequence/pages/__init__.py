"""The pages of the sequence track, one self-contained HTML file each."""
