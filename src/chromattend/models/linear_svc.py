"""Support vector classifier with a linear kernel on all bins of all marks."""

from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from chromattend.models.baseline import LogCounts


def linear_svc(*, C: float = 0.001, seed: int = 1, threads: int = 1) -> Pipeline:
    """Build a linear SVC on standardised log counts, shape (gene, bin * mark).

    The DeepChrome paper's SVM has an RBF kernel (section 4.2); this is its linear relative.
    """
    return make_pipeline(LogCounts(), StandardScaler(), LinearSVC(C=C, max_iter=20_000, random_state=seed))
