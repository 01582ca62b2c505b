from chromattend.pipeline.jobs import job

from chromattend.errors import located
from chromattend.robustness.images.benchmark import attack, first_right
from chromattend.robustness.images.classifier import load_classifier
from chromattend.robustness.images.data import read_held_out

with job(snakemake), located(f"robustness.images.{snakemake.wildcards.image_set}"):
    params, output = snakemake.params, snakemake.output
    classifier = load_classifier(snakemake.input.model)
    _, test = read_held_out(snakemake.input.images)
    made = attack(
        classifier,
        first_right(classifier, test, params.examples),
        snakemake.wildcards.image_run,
        options=params.options,
        seed=params.seed,
        seconds=params.seconds,
    )
    made.save(output.adversarial, output.outcome)
