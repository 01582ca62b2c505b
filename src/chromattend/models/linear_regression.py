"""Linear regression of expression on the marks' totals (Karlic et al., PNAS 107:2926, 2010)."""

from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline

from chromattend.models.baseline import MarkTotals, Setting


def linear_regression(setting: Setting) -> Pipeline:
    """Build a least-squares regression of log expression on the logarithm of each mark's reads in the window.

    Karlic et al. sum the tags within 2 kb of the TSS, add a pseudo-count chosen per mark and take logarithms; here
    the sum is over all bins and the pseudo-count is 1. The target is log(1 + RPKM); the prediction ranks the genes
    for the AUC.
    """
    return Pipeline([("total", MarkTotals(setting.marks)), *setting.pipeline(LinearRegression()).steps])
