"""What the jobs of every track share: start and end, records, downloads, configuration, cluster settings."""
