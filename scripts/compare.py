from chromattend.pipeline.jobs import job

import pandas as pd

from chromattend.evaluate import calibration_table, scores_of_test
from chromattend.files import write_table
from chromattend.statistics import compare_aucs

with job(snakemake):
    predictions = {
        model: pd.read_csv(path, sep="\t")
        for model, path in zip(snakemake.params.models, snakemake.input.predictions, strict=True)
    }
    write_table(compare_aucs(*scores_of_test(predictions)), snakemake.output.comparisons)
    write_table(calibration_table(predictions), snakemake.output.calibration)
