from chromattend.pipeline.jobs import job

import numpy as np
import pandas as pd

from chromattend.errors import located
from chromattend.files import write_json, write_table
from chromattend.robustness.images.classifier import measure
from chromattend.robustness.images.data import read_images, split, write_held_out
from chromattend.robustness.images.keras import load_keras
from chromattend.robustness.images.networks import NETWORKS
from chromattend.robustness.images.train import HISTORY, train_classifier
from chromattend.robustness.study import DIGITS

with job(snakemake), located(f"robustness.images.{snakemake.wildcards.image_set}"):
    params, output, weights = snakemake.params, snakemake.output, snakemake.input.weights
    name = params.network
    images = read_images(*(snakemake.input.images or [DIGITS]), side=NETWORKS[name].side)
    parts = split(len(images.labels), params.parts, params.seed, trained=bool(weights), first=params.first)
    if weights:
        classifier, history = load_keras(weights, name), pd.DataFrame(columns=HISTORY)
        classifier.check(images.shape, len(images.classes), weights)
    else:
        classifier, history = train_classifier(name, images.part(parts.train), params.epochs, params.seed)
    # Every image that the classifier did not learn from.
    unseen = images.part(np.setdiff1d(np.arange(len(images.labels)), parts.train))
    classifier.save(output.model)
    write_held_out(output.images, images.part(parts.detector), images.part(parts.test))
    write_table(history, output.history)
    sizes = {part: len(getattr(parts, part)) for part in ("train", "detector", "test")}
    metrics = measure(classifier, unseen.pixels, unseen.labels)
    write_json(
        metrics | {"parameters": classifier.parameters_count, **sizes, "unseen": len(unseen.labels)}, output.metrics
    )
