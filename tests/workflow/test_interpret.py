"""Explanations through Snakemake, on real reads and where something is missing."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from chromattend.files import read_netcdf

from .conftest import Workspace, config


@pytest.fixture(scope="module")
def explained(
    tmp_path_factory: pytest.TempPathFactory, repository: Path, real_mirror: Path, covered_genes: list[str]
) -> Workspace:
    """The explanations of E003 from its reads."""
    workspace = Workspace(tmp_path_factory.mktemp("explained"), repository / "Snakefile")
    (workspace / "genes.txt").write_text("\n".join(covered_genes) + "\n")
    workspace.configure(
        {
            "mirror": f"file://{real_mirror}",
            "genome": {"chrom_sizes": str(repository / "resources" / "hg19.chrom.sizes")},
            "genes": {"include": "genes.txt", "mode": "unique"},
            "split": {"mode": "random", "fractions": [2, 1, 2]},
            "models": ["deepchrome", "attentivechrome", "random_forest"],
            "interpret": {
                "attention": "all",
                "models": ["deepchrome", "attentivechrome"],
                "genes": None,
                "class_optimization": {"steps": 30},
                "named_genes": [covered_genes[0]],
            },
        },
        "epigenome\tname\nE003\tH1\n",
    )
    workspace.succeed("interpret")
    return workspace


def test_real_weights_are_compared_with_real_acetylation(explained: Workspace) -> None:
    table = pd.read_csv(explained / "results/tables/validation.tsv", sep="\t")
    promoter = table[table["mark"] == "H3K4me3"].set_index(["model", "method", "weights"])
    print(promoter[["genes", "pearson", "pearson_low", "pearson_high", "spearman", "published"]].round(3).to_string())
    assert promoter["genes"].between(5, 58).all()
    # Means over the same genes of the reads of both marks: what any map that follows the reads would reach.
    signal = promoter.loc[("deepchrome", "signal", "none")]
    assert signal["pearson"] > 0.8
    varies, given = promoter["pearson"].notna(), promoter["pearson_low"].notna()
    assert promoter["pearson"].between(promoter["pearson_low"], promoter["pearson_high"])[given].all()
    # There are not enough reliable genes in the tests' data for an interval of each row; a note says so.
    assert (given == promoter["note"].isna()).all()
    # What a network without training takes for typical can be nothing at all.
    assert set(promoter.index[~varies].get_level_values("method")) <= {"class_optimization"}
    trained = promoter.loc[("attentivechrome", "alpha", "trained")]
    assert trained["published"] == 0.8995
    for method in ("integrated_gradients", "occlusion"):
        for model in ("deepchrome", "attentivechrome"):
            assert promoter.loc[(model, method, "trained"), "pearson"] > 0.3


def test_attention_of_all_genes_sums_to_one(explained: Workspace) -> None:
    maps = read_netcdf(explained / "results/E003/attentivechrome/attention.nc")
    assert maps.sizes["gene"] == 143
    assert maps["alpha"].sum("bin").values == pytest.approx(1, abs=1e-5)
    assert maps["beta"].sum("mark").values == pytest.approx(1, abs=1e-5)


def test_figures_and_tables_are_there(explained: Workspace, covered_genes: list[str]) -> None:
    results = explained / "results"
    figures = {str(path.relative_to(results)) for path in results.rglob("*.svg")}
    assert {
        "E003/figures/attention/attentivechrome.svg",
        "E003/figures/explanation/deepchrome.svg",
        "E003/figures/faithfulness/attentivechrome.svg",
        "figures/validation.svg",
        "figures/named_genes.svg",
        "figures/importance/deepchrome.svg",
        "figures/interactions/attentivechrome.svg",
    } <= figures
    named = pd.read_csv(results / "tables/named_genes.tsv", sep="\t")
    assert set(named["gene"]) == {covered_genes[0]}
    assert named["beta"].sum() == pytest.approx(1, abs=1e-3)
    dataset = read_netcdf(results / "E003/dataset.nc")
    split = dict(zip(dataset["gene"].values, dataset["split"].values, strict=True))
    for model in ("deepchrome", "attentivechrome"):
        influence = pd.read_csv(results / f"E003/{model}/influence.tsv", sep="\t")
        assert set(influence["gene"].map(split)) == {"test"}
        assert set(influence["train_gene"].map(split)) == {"train"}
        assert influence.groupby("gene")["rank"].max().between(1, 10).all()
    faithfulness = pd.read_csv(results / "tables/faithfulness.tsv", sep="\t")
    assert len(faithfulness) == 2 * (7 + 5)  # deletion and insertion by the methods of both networks


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory, repository: Path, small_study: Workspace) -> Workspace:
    """The validation of two epigenomes, one of them without H3K27ac."""
    workspace = small_study.copy(tmp_path_factory.mktemp("synthetic"))
    for mark in workspace.folder.glob("results/SYN*/signal/H3K27ac.nc"):
        mark.unlink()
    interpret = {
        "models": ["mlp"],
        "methods": ["saliency"],
        "genes": 20,
        "class_optimization": {"steps": 5},
        "named_genes": ["SYNG001"],
    }
    workspace.configure(
        config(repository, models=["mlp"], training={"max_epochs": 2}, interpret=interpret),
        "epigenome\tH3K27ac\nSYN1\t\nSYN2\tnone\n",
    )
    workspace.succeed("results/tables/validation.tsv", "results/figures/validation.svg")
    return workspace


def test_an_epigenome_without_the_validation_mark_is_skipped_and_said_so(synthetic: Workspace) -> None:
    table = pd.read_csv(synthetic / "results/tables/validation.tsv", sep="\t").set_index("epigenome")
    assert table.loc["SYN2", "note"] == "no H3K27ac in the sample sheet"
    assert table.loc["SYN1", "pearson"].notna().any()
    assert not (synthetic / "results/SYN2/signal/H3K27ac.nc").exists()


def test_what_a_key_decides_is_made_again_and_nothing_else(synthetic: Workspace) -> None:
    target = "results/tables/validation.tsv"
    before = yaml.safe_load((synthetic / "config.yaml").read_text())

    def again(**changes: object) -> set[str]:
        changed = before | {"interpret": before["interpret"] | changes}
        (synthetic / "config.yaml").write_text(yaml.safe_dump(changed))
        return set(synthetic.succeed("--dry-run", target).jobs)

    assert again() == set()
    assert again(validation={"absolute": True}) == {"validate", "explanation_tables"}
    assert again(validation={"genes": "true_on"}) == {"validate", "explanation_tables"}
    assert again(occlusion_window=4) >= {"explain", "validate", "explanation_tables"}
    assert again(class_optimization={"steps": 6}) >= {"explain"}
    more = again(genes=21)
    assert more >= {"explain"}
    assert not more & {"train", "count", "dataset"}


def test_a_misspelt_gene_is_one_line_with_its_nearest_match(synthetic: Workspace) -> None:
    result = synthetic.snakemake("results/named_genes.tsv")
    assert result.code == 1
    assert "key 'interpret.named_genes': gene 'SYNG001': is not among the 300 genes" in result.output
    assert "did you mean 'SYNG0" in result.output
    assert "Traceback" not in result.output
