from chromattend.pipeline.jobs import job

from chromattend.errors import located
from chromattend.files import read_table, write_table
from chromattend.robustness.images.benchmark import attack_detector, attack_table, detect, first_right, threshold_of
from chromattend.robustness.images.classifier import load_classifier
from chromattend.robustness.images.data import read_held_out
from chromattend.robustness.images.networks import NETWORKS
from chromattend.robustness.images.runs import read_run

with job(snakemake), located(f"robustness.images.{snakemake.wildcards.image_set}"):
    given, output, params = snakemake.input, snakemake.output, snakemake.params
    classifier = load_classifier(given.model)
    detector, test = read_held_out(given.images)
    runs = {
        run: read_run(images, outcome)
        for run, images, outcome in zip(params.runs, given.adversarial, given.outcomes, strict=True)
    }
    dataset = NETWORKS[classifier.name].reported_for(classifier.shape, classifier.classes)
    reported = read_table(given.published_attacks)
    write_table(attack_table(runs, params.options, classifier.name, dataset, reported), output.attacks)
    reported = read_table(given.published_detection)
    detection = detect(classifier, detector, test, runs, params.squeezers, params.false_positives, dataset, reported)
    write_table(detection.table, output.detection)
    write_table(detection.roc, output.roc)
    known = attack_detector(
        classifier,
        first_right(classifier, test, params.adaptive),
        params.squeezers[-1],
        threshold_of(detection.table, params.squeezers[-1]),
        seconds=params.seconds,
        seed=params.seed,
    )
    write_table(known, output.adaptive)
