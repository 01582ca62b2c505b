import itertools

from chromattend.pipeline.jobs import job

import pandas as pd

from chromattend.chromatin.tables import auc_table, published_table, summary_table
from chromattend.chromatin.verdict import best_table
from chromattend.files import read_json, read_table, write_table
from chromattend.statistics import compare_over_epigenomes

with job(snakemake):
    epigenomes = snakemake.params.epigenomes
    keys = itertools.product(epigenomes, snakemake.params.models)
    results = {key: read_json(path) for key, path in zip(keys, snakemake.input.metrics, strict=True)}
    auc = auc_table(results, snakemake.params.split_rule)
    published_summary, published_auc = (
        read_table(path) for path in (snakemake.input.published_summary, snakemake.input.published_auc)
    )
    compared = {
        epigenome: read_table(path) for epigenome, path in zip(epigenomes, snakemake.input.comparisons, strict=True)
    }
    comparisons = pd.concat(compared, names=["epigenome"]).reset_index("epigenome")
    wide = auc.pivot(index="epigenome", columns="model", values="auc")[snakemake.params.models]
    write_table(auc, snakemake.output.auc, decimals=4)
    write_table(summary_table(auc, published_summary, published_auc), snakemake.output.summary, decimals=4)
    write_table(published_table(auc, published_auc), snakemake.output.published, decimals=4)
    # p values need their exponents.
    write_table(comparisons, snakemake.output.comparisons, significant=4)
    wilcoxon = compare_over_epigenomes(wide)
    write_table(wilcoxon, snakemake.output.wilcoxon, significant=4)
    write_table(best_table(auc, comparisons, wilcoxon), snakemake.output.best, decimals=4)
