"""Baselines: one function each, which builds a scikit-learn estimator for signal of shape (gene, bin * mark)."""

from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedShuffleSplit
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from chromattend.models.baseline import BestBins, MarkTotals, OneBin, Setting


def linear_regression(setting: Setting) -> Pipeline:
    """Build a least-squares regression of log expression on the logarithm of each mark's reads in the window.

    Karlic et al. (PNAS 107:2926, 2010) sum the tags within 2 kb of the TSS, add a pseudo-count chosen per mark and take
    logarithms; here the sum is over all bins and the pseudo-count is 1. The target is log(1 + RPKM); the prediction
    ranks the genes for the AUC.
    """
    return Pipeline([("total", MarkTotals(setting.channels)), *setting.pipeline(LinearRegression()).steps])


def logistic_regression(setting: Setting, *, C: float = 0.01) -> Pipeline:
    """Build an L2-penalised logistic regression on standardised features, shape (gene, bin * mark)."""
    return setting.pipeline(
        StandardScaler(),
        LogisticRegression(C=C, max_iter=2000, class_weight=setting.class_weight, random_state=setting.seed),
    )


def linear_svc(setting: Setting, *, C: float = 0.001) -> Pipeline:
    """Build a linear SVC on standardised features, shape (gene, bin * mark)."""
    return setting.pipeline(
        StandardScaler(),
        LinearSVC(C=C, max_iter=20_000, class_weight=setting.class_weight, random_state=setting.seed),
    )


def svc(setting: Setting, *, C: float = 1.0) -> Pipeline:
    """Build an RBF SVC on standardised features, shape (gene, bin * mark).

    The DeepChrome paper's SVC sees one bin at a time: see `svc_best_bin`.
    """
    return setting.pipeline(StandardScaler(), SVC(C=C, cache_size=500, class_weight=setting.class_weight))


def svc_best_bin(setting: Setting, *, C: float = 1.0) -> GridSearchCV:
    """Build a search for the bin whose marks classify best in an RBF SVC (DeepChrome, section 4.2).

    The paper trains one SVM per bin (after Cheng et al., Genome Biology 12:R15, 2011) and reports the best and the
    mean over bins. Here the bin is chosen on a held-out quarter of the training genes, and the SVC is then fitted on
    all of them.
    """
    classifier = setting.pipeline(
        OneBin(setting.channels), StandardScaler(), SVC(C=C, class_weight=setting.class_weight)
    )
    return GridSearchCV(
        classifier,
        {"onebin__bin": list(range(setting.positions))},
        scoring="roc_auc",
        cv=StratifiedShuffleSplit(1, test_size=0.25, random_state=setting.seed),
        n_jobs=setting.threads,
    )


def random_forest(setting: Setting, *, n_estimators: int = 500, min_samples_leaf: int = 3) -> Pipeline:
    """Build a random forest on features of shape (gene, bin * mark).

    The DeepChrome paper's forest sees one bin per mark: see `random_forest_best_bins`.
    """
    return setting.pipeline(_forest(setting, n_estimators, min_samples_leaf))


def random_forest_best_bins(setting: Setting, *, n_estimators: int = 500, min_samples_leaf: int = 3) -> Pipeline:
    """Build a random forest on one bin per mark, the bin that correlates most with the label.

    DeepChrome, section 4.2, which follows Dong et al. (Genome Biology 13:R53, 2012) in this choice of bins.
    """
    return setting.pipeline(BestBins(setting.channels), _forest(setting, n_estimators, min_samples_leaf))


def _forest(setting: Setting, n_estimators: int, min_samples_leaf: int) -> RandomForestClassifier:
    return RandomForestClassifier(
        n_estimators=n_estimators,
        min_samples_leaf=min_samples_leaf,
        class_weight=setting.class_weight,
        n_jobs=setting.threads,
        random_state=setting.seed,
    )
