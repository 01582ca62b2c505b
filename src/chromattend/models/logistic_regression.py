"""Logistic regression on all bins of all marks: the linear reference."""

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from chromattend.models.baseline import LogCounts


def logistic_regression(*, C: float = 0.01, seed: int = 1, threads: int = 1) -> Pipeline:
    """Build an L2-penalised logistic regression on standardised log counts, shape (gene, bin * mark)."""
    return make_pipeline(LogCounts(), StandardScaler(), LogisticRegression(C=C, max_iter=2000, random_state=seed))
