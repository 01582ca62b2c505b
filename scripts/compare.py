from chromattend.pipeline.jobs import job

from chromattend.evaluate import calibration_table, scores_of_test
from chromattend.files import read_table, write_table
from chromattend.statistics import compare_aucs

with job(snakemake):
    predictions = {
        model: read_table(path)
        for model, path in zip(snakemake.params.models, snakemake.input.predictions, strict=True)
    }
    write_table(compare_aucs(*scores_of_test(predictions)), snakemake.output.comparisons)
    write_table(calibration_table(predictions), snakemake.output.calibration)
