"""Networks and baselines of the sequence track."""
