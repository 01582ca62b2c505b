from chromattend.pipeline.jobs import job

import numpy as np
import torch

from chromattend.files import read_netcdf, write_table
from chromattend.models import load_model
from chromattend.models.network import network_of
from chromattend.robustness.letters import letters_table
from chromattend.robustness.subject import call_threshold, examples_of_test
from chromattend.sequence.alphabets import ALPHABETS

with job(snakemake):
    network, dataset = network_of(load_model(snakemake.input.model)), read_netcdf(snakemake.input.dataset)
    alphabet = ALPHABETS[network.input_spec.alphabet]
    valid = dataset.isel(sequence=np.flatnonzero(dataset["split"].values == "valid"))
    threshold = call_threshold(valid["label"].values, network.score(valid))
    part = dataset.isel(sequence=examples_of_test(dataset, snakemake.params.examples, snakemake.params.seed))
    table = letters_table(
        network,
        torch.from_numpy(network.input_spec.signal(part)),
        part["sequence"].values.tolist(),
        part["label"].values,
        alphabet.letters + alphabet.blank,
        snakemake.params.changes,
        float(np.log(threshold / (1 - threshold))),
    )
    write_table(table, snakemake.output[0])
