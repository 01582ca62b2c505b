"""Random forest on all bins of all marks."""

from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline, make_pipeline

from chromattend.models.baseline import LogCounts


def random_forest(*, n_estimators: int = 500, min_samples_leaf: int = 3, seed: int = 1, threads: int = 1) -> Pipeline:
    """Build a random forest on log counts, shape (gene, bin * mark).

    The DeepChrome paper's forest sees one best bin per mark (section 4.2); this one sees every bin.
    """
    forest = RandomForestClassifier(
        n_estimators=n_estimators, min_samples_leaf=min_samples_leaf, n_jobs=threads, random_state=seed
    )
    return make_pipeline(LogCounts(), forest)
