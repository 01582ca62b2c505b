from chromattend.pipeline.jobs import job

from chromattend.figures import save
from chromattend.files import read_json, read_table
from chromattend.robustness.image_figures import plot_attacks, plot_detection
from chromattend.robustness.images.runs import read_run
from chromattend.robustness.pages.images import write_page

with job(snakemake):
    given, made, params = snakemake.input, snakemake.output, snakemake.params
    runs = {
        run: read_run(images, outcome)
        for run, images, outcome in zip(params.runs, given.adversarial, given.outcomes, strict=True)
    }
    attacks, detection, adaptive = map(read_table, (given.attacks, given.detection, given.adaptive))
    write_page(
        made.page,
        images=snakemake.wildcards.image_set,
        metrics=read_json(given.metrics),
        attacks=attacks,
        detection=detection,
        roc=read_table(given.roc),
        adaptive=adaptive,
        runs=runs,
        settings=params.settings,
        links=[("All pages of robustness", "../../index.html")],
        command=params.command,
    )
    save(plot_attacks(attacks, runs), made.attacks)
    save(plot_detection(detection, adaptive, " + ".join(params.settings["squeezers"][-1])), made.detection)
