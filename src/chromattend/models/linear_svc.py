"""Support vector classifier with a linear kernel on all bins of all marks."""

from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from chromattend.models.baseline import Setting


def linear_svc(setting: Setting, *, C: float = 0.001) -> Pipeline:
    """Build a linear SVC on standardised features, shape (gene, bin * mark)."""
    return setting.pipeline(
        StandardScaler(),
        LinearSVC(C=C, max_iter=20_000, class_weight=setting.class_weight, random_state=setting.seed),
    )
