"""Figures of the track robustness."""

from pathlib import Path

import pytest
from builders import texts
from robustness_builders import result_of

from chromattend.figures import look, save
from chromattend.robustness.figures import plot_conditions, plot_depth, plot_marks, plot_reads
from chromattend.robustness.pages.index import write_index
from chromattend.robustness.tables import Result, study_table


@pytest.fixture(scope="module")
def results() -> list[Result]:
    return [result_of("deepchrome", genes=60)[0], result_of("attentivechrome", genes=60, attention=True, slow=300)[0]]


def test_the_depth_has_a_panel_of_attention_only_if_a_model_has_it(results: list[Result], tmp_path: Path) -> None:
    said = texts(plot_depth(results), tmp_path / "depth.svg")
    assert {"AUC", "Calls kept", "r of alpha (median)", "Depth of the kept reads", "Depth of all reads"} <= set(said)
    assert {"DeepChrome", "AttentiveChrome"} <= set(said)
    assert "r of alpha (median)" not in texts(plot_depth(results[:1]), tmp_path / "depth.svg")
    # Of the panels of AUC, both models have a line of six depths.
    line = plot_depth(results).axes[0].lines[0]
    assert sorted(line.get_xdata()) == [0.02, 0.05, 0.1, 0.25, 0.5, 1]
    assert line.get_ydata()[-1] == 0.862


def test_models_look_as_on_all_pages_and_come_in_one_order(results: list[Result]) -> None:
    for plot in (plot_depth, plot_reads):
        figure = plot(results[::-1])
        handles = figure.legends[0].legend_handles[:2]
        assert [handle.get_label() for handle in handles] == ["DeepChrome", "AttentiveChrome"]
        for handle, model in zip(handles, ("deepchrome", "attentivechrome"), strict=True):
            assert handle.get_color() == look(model)["colour"]
            assert handle.get_color() in {line.get_color() for line in figure.axes[0].lines}


@pytest.mark.parametrize(
    ("alpha", "caption"),
    [
        (0.8, "What is left with fewer reads: AUC, calls, and attention."),
        (None, "What is left with fewer reads: AUC and calls."),
    ],
)
def test_the_index_speaks_of_attention_only_where_a_model_has_it(
    results: list[Result], tmp_path: Path, alpha: float | None, caption: str
) -> None:
    save(plot_depth(results), tmp_path / "depth.svg")
    table = study_table(results).assign(alpha_r_redraw=alpha)
    write_index(tmp_path / "index.html", chromatin=table, figures={"depth": tmp_path / "depth.svg"})
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert f"<figcaption>{caption}</figcaption>" in page
    assert ("r of alpha over the share" in page) == (alpha is not None)


def test_the_reads_end_at_the_share_that_turns(results: list[Result], tmp_path: Path) -> None:
    figure = plot_reads(results)
    called = results[0].worst_case[results[0].worst_case["right"]]
    assert figure.axes[0].lines[0].get_ydata()[-1] == pytest.approx(called["reads"].notna().mean())
    said = texts(figure, tmp_path / "reads.svg")
    assert {"vote: proven to keep its call", "one Poisson redraw"} <= set(said)


def test_every_condition_has_a_row(results: list[Result], tmp_path: Path) -> None:
    said = texts(plot_conditions(results), tmp_path / "conditions.svg")
    assert {"TSS off by 1,000 bp", "H3K4me3 absent", "another seed", "10 % of the reads, old depth"} <= set(said)
    assert "undisturbed" not in said
    assert said.count("59") >= 2


def test_marks_are_drawn_by_direction(results: list[Result], tmp_path: Path) -> None:
    edits = {("E003", "deepchrome"): result_of("deepchrome", genes=60)[1].edits}
    said = texts(plot_marks(edits), tmp_path / "marks.svg")
    assert {"ON to OFF", "OFF to ON", "H3K4me3", "added", "removed", "DeepChrome"} <= set(said)


def test_without_results_a_figure_says_so(results: list[Result], tmp_path: Path) -> None:
    noise = results[0].noise
    bare = [Result("E003", "deepchrome", noise[noise["kind"] == "none"])]
    for plot in (plot_depth, plot_reads, plot_conditions):
        assert len(texts(plot(bare), tmp_path / "none.svg")) == 1
    assert len(texts(plot_marks({}), tmp_path / "none.svg")) == 1
