"""Logistic regression on all bins of all marks: the linear reference."""

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from chromattend.models.baseline import Setting


def logistic_regression(setting: Setting, *, C: float = 0.01) -> Pipeline:
    """Build an L2-penalised logistic regression on standardised features, shape (gene, bin * mark)."""
    return setting.pipeline(
        StandardScaler(),
        LogisticRegression(C=C, max_iter=2000, class_weight=setting.class_weight, random_state=setting.seed),
    )
