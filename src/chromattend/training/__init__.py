"""One way to train: options and protocols, arrays of examples, networks with Lightning, baselines with scikit-learn."""
