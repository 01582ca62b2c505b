"""Support vector classifier with an RBF kernel on all bins of all marks."""

from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from chromattend.models.baseline import Setting


def svc(setting: Setting, *, C: float = 1.0) -> Pipeline:
    """Build an RBF SVC on standardised features, shape (gene, bin * mark).

    The DeepChrome paper's SVC sees one bin at a time: see `svc_best_bin`.
    """
    return setting.pipeline(StandardScaler(), SVC(C=C, cache_size=500, class_weight=setting.class_weight))
