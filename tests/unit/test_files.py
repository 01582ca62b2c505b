"""Tables as they are written and read again."""

from pathlib import Path

import pandas as pd
import pytest

from chromattend.files import read_table, write_table


@pytest.mark.parametrize("name", ["table.tsv", "history.csv"])
def test_names_stay_as_they_were_written(tmp_path: Path, name: str) -> None:
    ids = ["001", "NA", "1e5", "nan", "0x10", "True"]
    table = pd.DataFrame({"epigenome": ids, "auc": [0.5, 1, 2, 3, 4, 5], "symbol": [*ids[:5], None]})
    write_table(table, tmp_path / name)
    again = read_table(tmp_path / name)
    assert again["epigenome"].tolist() == ids
    assert again["auc"].tolist() == table["auc"].tolist()
    assert again["symbol"].tolist()[:5] == ids[:5]
    assert pd.isna(again["symbol"].iloc[5])


def test_an_empty_cell_is_missing_and_only_that(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("epigenome\tp\tnote\nE1\t\tnone\nE2\t0.25\t\n")
    table = read_table(tmp_path / "a.tsv")
    assert table["p"].isna().tolist() == [True, False]
    assert table["note"].tolist()[0] == "none"
    assert table["note"].isna().tolist() == [False, True]
