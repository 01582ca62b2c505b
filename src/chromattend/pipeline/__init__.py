"""What a job of the workflow needs, in any track: start and end, records, downloads, configuration, cluster."""
