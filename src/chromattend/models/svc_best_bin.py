"""Support vector classifier on the best single bin: the SVM of the DeepChrome paper."""

from sklearn.model_selection import GridSearchCV, StratifiedShuffleSplit
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from chromattend.models.baseline import OneBin, Setting


def svc_best_bin(setting: Setting, *, C: float = 1.0) -> GridSearchCV:
    """Build a search for the bin whose marks classify best in an RBF SVC (DeepChrome, section 4.2).

    The paper trains one SVM a bin (after Cheng et al., Genome Biology 12:R15, 2011) and reports the best and the
    mean over bins. Here the bin is chosen on a quarter of the training genes, left out for that, and the SVC is
    then fitted on all of them.
    """
    classifier = setting.pipeline(OneBin(setting.marks), StandardScaler(), SVC(C=C, class_weight=setting.class_weight))
    return GridSearchCV(
        classifier,
        {"onebin__bin": list(range(setting.bins))},
        scoring="roc_auc",
        cv=StratifiedShuffleSplit(1, test_size=0.25, random_state=setting.seed),
        n_jobs=setting.threads,
    )
