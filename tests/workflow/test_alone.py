"""Studies that stand alone: a lab's files from init to scores, the examples, and tracks without epigenomes."""

import gzip
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyBigWig
import pytest
import yaml

from chromattend.sequence.simulate import simulate_sequences

from .conftest import Workspace, run, snakemake
from .test_own_data import bam_of


def bigwig_of(reads: Path, chrom_sizes: Path, target: Path) -> None:
    """Write the coverage by the reads of a tagAlign file as bigWig."""
    table = pd.read_csv(reads, sep="\t", names=["chrom", "start", "end"], usecols=[0, 1, 2])
    sizes = pd.read_csv(chrom_sizes, sep="\t", names=["name", "length"])
    with pyBigWig.open(str(target), "w") as file:
        file.addHeader(list(sizes.itertuples(index=False, name=None)))
        for name in sizes["name"]:
            own = table[table["chrom"] == name]
            if own.empty:
                continue
            places = np.concatenate([own["start"], own["end"]])
            steps = pd.Series(np.repeat([1, -1], len(own)), index=places).groupby(level=0).sum()
            depth, starts = steps.cumsum().to_numpy(dtype=float), steps.index.to_numpy()
            kept = depth[:-1] > 0
            ends, values = starts[1:][kept].tolist(), depth[:-1][kept].tolist()
            file.addEntries([name] * int(kept.sum()), starts[:-1][kept].tolist(), ends=ends, values=values)


def test_a_labs_job_takes_four_commands(
    workspace: Workspace, repository: Path, real_data: Path, covered_genes: list[str]
) -> None:
    """Files of three formats, from init to the page and the scores, without a failed start."""
    sizes, data = repository / "resources/hg19.chrom.sizes", workspace / "data"
    data.mkdir()
    reads = {mark: real_data / f"chromatin/E003-{mark}.demo_regions.tagAlign.gz" for mark in ("H3K4me3", "H3K27me3")}
    bam_of(reads["H3K4me3"], sizes, data / "E003_H3K4me3.bam")
    (data / "E003_H3K27me3.tagAlign.gz").write_bytes(reads["H3K27me3"].read_bytes())
    bigwig_of(real_data / "chromatin/E003-H3K36me3.demo_regions.tagAlign.gz", sizes, data / "E003_H3K36me3.bw")
    (data / "rpkm.tsv").write_bytes(gzip.decompress((real_data / "roadmap/57epigenomes.RPKM.pc.gz").read_bytes()))
    (data / "genes.gtf.gz").write_bytes((real_data / "roadmap/gencode_10_genes.gtf.gz").read_bytes())
    (workspace / "panel.txt").write_text("\n".join(covered_genes) + "\n")

    program = [sys.executable, "-m", "chromattend"]
    init = [*program, "init", "study", "--genome", "hg19", "--samples", "data", "--genes", "panel.txt"]
    started = run(init, workspace.folder)
    assert started.code == 0, started.output
    assert "E003: H3K27me3, H3K36me3, H3K4me3" in started.output
    checked = run([*program, "check", "study/config.yaml"], workspace.folder)
    assert checked.output == "study/config.yaml: no errors\n"
    target = "study/results/E003/report.html"
    arguments = ["--snakefile", str(workspace.snakefile), "--cores", "2", "--configfile", "study/config.yaml"]
    made = snakemake([*arguments, "--config", "models=[logistic_regression]", "--", target], workspace.folder)
    assert made.code == 0, made.output
    assert "download" not in made.jobs
    assert (workspace / target).stat().st_size > 50_000
    scored = run(
        [
            *(*program, "predict", "--checkpoint", "study/results/E003/logistic_regression/model.ckpt"),
            *("--signal", "H3K27me3=data/E003_H3K27me3.tagAlign.gz", "--signal", "H3K36me3=data/E003_H3K36me3.bw"),
            *("--signal", "H3K4me3=data/E003_H3K4me3.bam", "--genes", "study/results/genes.tsv"),
            *("--chrom-sizes", str(sizes), "--output", "scores.tsv"),
        ],
        workspace.folder,
    )
    assert scored.code == 0, scored.output
    scores = pd.read_csv(workspace / "scores.tsv", sep="\t")
    predictions = pd.read_csv(workspace / "study/results/E003/logistic_regression/predictions.tsv", sep="\t")
    joined = scores.merge(predictions, on="gene")
    assert len(joined) == len(predictions) > 100
    assert np.allclose(joined["E003/logistic_regression"], joined["score"], atol=1e-6)


@pytest.mark.parametrize(("name", "genes"), [("own-study", 300), ("gene-panel", 75)])
def test_the_examples_run_on_files_of_the_demo(checkout: Path, small_mirror: Path, name: str, genes: int) -> None:
    mirror = checkout / "resources/demo/mirror"
    if not mirror.exists():
        mirror.parent.mkdir(parents=True, exist_ok=True)
        mirror.symlink_to(small_mirror)
    target = f"results/{name}/split.tsv"
    arguments = ["--cores", "2", "--configfile", f"config/examples/{name}.yaml"]
    whole = snakemake([*arguments, "--dry-run", "--quiet", "rules"], checkout)
    assert whole.code == 0, whole.output
    assert whole.jobs["page"] == 2
    assert "download" not in whole.jobs
    made = snakemake([*arguments, "--", target], checkout)
    assert made.code == 0, made.output
    split = pd.read_csv(checkout / target, sep="\t")["split"]
    assert len(split) == genes
    # Most genes are for training.
    assert split.value_counts().idxmax() == "train"


def test_a_study_of_sequences_plans_no_epigenome(workspace: Workspace) -> None:
    simulate_sequences(workspace / "sets", 1)
    settings = {"sequence": {"sheet": "sets/sequences.tsv", "models": ["cnn"]}}
    (workspace / "config.yaml").write_text(yaml.safe_dump(settings))
    jobs = workspace.succeed("--dry-run", "--quiet", "rules").jobs
    assert jobs["train_sequence"] == 1
    assert jobs["report"] == 1
    assert not {"download", "genes", "count", "train", "quality", "index"} & jobs.keys()


def test_no_configuration_is_one_line(workspace: Workspace) -> None:
    result = snakemake(["--snakefile", str(workspace.snakefile), "--cores", "1", "--dry-run"], workspace.folder)
    assert result.code == 1
    assert result.output.startswith("Error: there is no configuration: give one with --configfile, or run in a folder")


def test_all_mistakes_are_printed_before_any_job(workspace: Workspace) -> None:
    (workspace / "config.yaml").write_text("epigenomes: sheet.tsv\ngenome: {name: hg38}\nmarks: [H3K4me3]\n")
    (workspace / "sheet.tsv").write_text("epigenome\tH3K4me3\nA\tgone.bam\nB\t\n")
    result = workspace.snakemake("--dry-run")
    lines = [line for line in result.output.splitlines() if line]
    assert [line.split(": ")[0] for line in lines[:3]] == ["Error"] * 3
    assert "'sources.expression': is not given" in lines[0]
    assert "'A', H3K4me3: file 'gone.bam' does not exist" in lines[1]
    assert "'B': H3K4me3 has no file" in lines[2]
    assert lines[3] == "3 errors; correct them and give the command again"
    assert "Traceback" not in result.output
