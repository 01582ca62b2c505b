"""The binding of transcription factors from DNA, RNA or protein sequences: data, networks, motifs and dashboards."""
