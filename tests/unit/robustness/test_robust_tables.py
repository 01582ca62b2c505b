"""The table of a study of robustness."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from robustness_builders import letters_table, noise_table, result_of

from chromattend.robustness.tables import (
    Result,
    certified_share,
    condition,
    letters_row,
    quantile,
    study_row,
    study_table,
    voted_right,
)


def test_a_quantile_counts_missing_values_as_above_the_budget() -> None:
    assert quantile(np.array([5.0, 1.0, np.nan, 3.0]), 0.5) == 3
    assert quantile(np.array([5.0, 1.0, np.nan, 3.0]), 0.75) == 5
    assert quantile(np.array([5.0, 1.0, np.nan, 3.0]), 0.76) is None
    assert quantile(np.array([7.0, np.nan, np.nan]), 0.5) is None
    assert quantile(np.array([]), 0.5) is None


@given(st.lists(st.one_of(st.integers(0, 600), st.none()), min_size=1, max_size=40), st.floats(0.01, 1))
def test_a_quantile_is_the_smallest_value_that_the_share_reaches(values: list[int | None], share: float) -> None:
    column = np.array([np.nan if value is None else float(value) for value in values])
    made = quantile(column, share)
    if made is None:
        assert np.isfinite(column).mean() < share + 1e-9
    else:
        assert (column <= made).mean() >= share - 1e-9
        assert (column < made).mean() < share


def test_only_right_calls_count_and_an_unturned_one_is_above_the_budget() -> None:
    worst_case = pd.DataFrame(
        {
            "gene": list("abcde"),
            "symbol": list("ABCDE"),
            "label": [1, 1, 0, 0, 1],
            "right": [True, True, True, True, False],
            "window_reads": [100, 100, 200, 200, 100],
            "reads": [10, 30, np.nan, np.nan, np.nan],
            "reads_share": [0.1, 0.3, np.nan, np.nan, np.nan],
            "entries": [1, 2, 3, 4, np.nan],
        }
    )
    row = study_row(Result("E003", "mlp", noise_table(False), worst_case=worst_case, budget=40))
    assert (row["reads_p10"], row["reads_median"], row["reads_p90"]) == (10, 30, None)
    assert (row["turned_within"], row["reads_share_median"], row["budget"]) == (0.5, 0.3, 40)
    assert (row["entries_median"], row["entries_p90"]) == (2, 4)


def test_an_abstaining_vote_certifies_nothing_and_a_wrong_one_does_not_count() -> None:
    certificate = pd.DataFrame(
        {
            "label": [1, 1, 0, 0],
            "voted": ["ON", "ON", "OFF", "ON"],
            "certified_reads": [30.0, np.nan, 20.0, 34.0],
        }
    )
    assert voted_right(certificate)["certified_reads"].tolist() == [30, 0, 20]
    assert certified_share(certificate, 20) == 0.5
    assert certified_share(certificate, 21) == 0.25
    assert certified_share(certificate.iloc[:0], 20) is None


def test_the_table_has_the_conditions_of_its_columns() -> None:
    table = study_table([result_of()[0], result_of("attentivechrome", slow=200, attention=True)[0]]).set_index("model")
    one, other = table.loc["deepchrome"], table.loc["attentivechrome"]
    assert (one["redraw_changed"], one["keep10_auc"], one["keep10_changed"]) == (0.018, 0.839, 0.062)
    assert (one["keep10_old_depth_changed"], one["threshold"], one["genes"]) == (0.582, 0.46, 152)
    assert pd.isna(one["alpha_r_redraw"])
    assert (other["alpha_r_redraw"], other["alpha_r_keep10"]) == (0.946, 0.643)
    assert one["reads_median"] < other["reads_median"]
    # Of the shares of turned genes that fool another model, only those of the model itself count.
    assert (one["transfer_highest"], other["transfer_highest"]) == (0.01, 0.1)


def test_parts_that_are_switched_off_are_empty() -> None:
    noise = noise_table(False)
    row = study_row(Result("E003", "mlp", noise[noise["kind"] == "none"]))
    known = {name for name, value in row.items() if value is not None}
    assert known == {"epigenome", "model", "genes", "accuracy", "auc", "share_on", "budget"}
    assert condition(noise, "keep", 0.3) == {}


def test_letters_have_the_same_quantiles() -> None:
    letters = letters_table()
    row = letters_row(letters)
    changes = letters.loc[letters["right"], "changes"]
    assert row["sequences"] == 60
    assert row["length"] == 101
    assert row["turned_within"] == pytest.approx(changes.notna().mean())
    assert row["changes_median"] == np.sort(changes.fillna(99))[int(np.ceil(len(changes) / 2)) - 1]
    assert letters_row(letters.iloc[:0])["accuracy"] is None
