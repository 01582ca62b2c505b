"""Random forest on the best bin of each mark: the forest of the DeepChrome paper."""

from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline

from chromattend.models.baseline import BestBins, Setting


def random_forest_best_bins(setting: Setting, *, n_estimators: int = 500, min_samples_leaf: int = 3) -> Pipeline:
    """Build a random forest on one bin per mark, that which correlates most with the label (DeepChrome, section 4.2).

    The paper follows Dong et al. (Genome Biology 13:R53, 2012) in this choice of bins.
    """
    return setting.pipeline(
        BestBins(setting.marks),
        RandomForestClassifier(
            n_estimators=n_estimators,
            min_samples_leaf=min_samples_leaf,
            class_weight=setting.class_weight,
            n_jobs=setting.threads,
            random_state=setting.seed,
        ),
    )
