"""Images: data, classifiers and the published benchmark of attacks and their detection."""
