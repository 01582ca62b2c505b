"""Random forest on all bins of all marks."""

from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline

from chromattend.models.baseline import Setting


def random_forest(setting: Setting, *, n_estimators: int = 500, min_samples_leaf: int = 3) -> Pipeline:
    """Build a random forest on features of shape (gene, bin * mark).

    The DeepChrome paper's forest sees one bin per mark: see `random_forest_best_bins`.
    """
    return setting.pipeline(
        RandomForestClassifier(
            n_estimators=n_estimators,
            min_samples_leaf=min_samples_leaf,
            class_weight=setting.class_weight,
            n_jobs=setting.threads,
            random_state=setting.seed,
        )
    )
