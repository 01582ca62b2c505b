from chromattend.pipeline.jobs import job

import numpy as np
import pandas as pd

from chromattend.files import read_netcdf, write_netcdf, write_table
from chromattend.models import load_model
from chromattend.recurrence import use_threads
from chromattend.robustness.detect import detect_counts
from chromattend.robustness.explanation import COLUMNS, attack_explanation
from chromattend.robustness.maps import Maps
from chromattend.robustness.stability import redraws
from chromattend.robustness.subject import Tested, edited_dataset
from chromattend.robustness.worst_case import WorstCaseOptions, ceilings_of, worst_case

with job(snakemake):
    use_threads(snakemake.threads)
    params, made = snakemake.params, snakemake.output
    tested = Tested.of(
        load_model(snakemake.input.model), read_netcdf(snakemake.input.dataset), params.genes, params.seed
    )
    subject, counts, labels = tested.subject, tested.counts, tested.labels
    options = dict(params.worst_case)
    factors = options.pop("explanation", [])
    worst = worst_case(
        subject,
        counts,
        labels,
        WorstCaseOptions(**options),
        ceilings_of(tested.part("train")),
        tested.marks,
        tested.progress("worst case"),
    )
    maps, explanation = Maps.of(subject), pd.DataFrame(columns=COLUMNS)
    right = worst.examples["right"].to_numpy()
    if factors and maps:
        explanation, _ = attack_explanation(subject, maps.alpha, counts[right], factors)
    again = next(redraws(counts, 1, params.seed))
    edits = {"reads": (worst.reads, worst.reads_turned), "entries": (worst.entries, worst.entries_turned)}
    edits |= {f"factor {factor:g}": (scaled, (scaled != counts).any((1, 2))) for factor, scaled in worst.scaled.items()}
    edits["redraw"] = (again, np.ones(len(counts), dtype=bool))
    detection = detect_counts(
        subject,
        tested.part("valid"),
        counts,
        labels,
        edits,
        params.detection["squeezers"],
        params.detection["false_positives"],
    )
    write_table(tested.named(worst.examples), made.worst_case)
    write_table(worst.edits, made.edits)
    write_table(worst.factors, made.factors)
    write_table(explanation, made.explanation)
    write_table(detection, made.detection)
    write_netcdf(edited_dataset(tested, {name: edits[name] for name in ("reads", "entries")}), made.edited)
