rule image_model:
    input:
        images=image_files,
        weights=lambda wildcards: IMAGE_SETS[wildcards.image_set]["weights"] or [],
    output:
        model="<results>/robustness/images/{image_set}/model.pt",
        images="<results>/robustness/images/{image_set}/held_out.npz",
        metrics="<results>/robustness/images/{image_set}/metrics.json",
        history="<results>/robustness/images/{image_set}/history.csv",
    log:
        "<logs>/image_model/{image_set}.log",
    benchmark:
        "<benchmarks>/image_model/{image_set}.tsv"
    priority: LONG_FIRST
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(6000),
        runtime=growing(480),
    params:
        network=lambda wildcards: IMAGE_SETS[wildcards.image_set]["network"],
        parts=lambda wildcards: IMAGE_SETS[wildcards.image_set]["parts"],
        epochs=lambda wildcards: IMAGE_SETS[wildcards.image_set]["epochs"],
        # Images that stay in the test of a classifier that was trained elsewhere: enough to attack the first ones.
        first=lambda wildcards: (
            2 * IMAGE_SETS[wildcards.image_set]["examples"] if IMAGE_SETS[wildcards.image_set]["weights"] else 0
        ),
        seed=ROBUST["seed"],
        version=STAGE_VERSIONS["robustness_images"],
    script:
        "../../../scripts/robustness/image_model.py"


rule image_attack:
    input:
        model="<results>/robustness/images/{image_set}/model.pt",
        images="<results>/robustness/images/{image_set}/held_out.npz",
    output:
        adversarial="<results>/robustness/images/{image_set}/{image_run}/adversarial.npz",
        outcome="<results>/robustness/images/{image_set}/{image_run}/outcome.tsv",
    log:
        "<logs>/image_attack/{image_set}/{image_run}.log",
    benchmark:
        "<benchmarks>/image_attack/{image_set}/{image_run}.tsv"
    priority: LONG_FIRST
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(6000),
        # An attack stops after its time, so all of them need the same.
        runtime=lambda wildcards, attempt: round(30 + IMAGE_SETS[wildcards.image_set]["seconds"] / 60) * attempt,
    params:
        options=lambda wildcards: IMAGE_SETS[wildcards.image_set]["options"].get(
            wildcards.image_run.partition("-")[0], {}
        ),
        examples=lambda wildcards: IMAGE_SETS[wildcards.image_set]["examples"],
        seconds=lambda wildcards: IMAGE_SETS[wildcards.image_set]["seconds"],
        seed=ROBUST["seed"],
        version=STAGE_VERSIONS["robustness_images"],
    script:
        "../../../scripts/robustness/image_attack.py"


rule image_detect:
    input:
        model="<results>/robustness/images/{image_set}/model.pt",
        images="<results>/robustness/images/{image_set}/held_out.npz",
        adversarial=of_runs("adversarial.npz"),
        outcomes=of_runs("outcome.tsv"),
        published_attacks=workflow.source_path("../../../resources/published_attacks.tsv"),
        published_detection=workflow.source_path("../../../resources/published_detection.tsv"),
    output:
        attacks="<results>/robustness/images/{image_set}/attacks.tsv",
        detection="<results>/robustness/images/{image_set}/detection.tsv",
        roc="<results>/robustness/images/{image_set}/roc.tsv",
        adaptive="<results>/robustness/images/{image_set}/adaptive.tsv",
    log:
        "<logs>/image_detect/{image_set}.log",
    benchmark:
        "<benchmarks>/image_detect/{image_set}.tsv"
    priority: LONG_FIRST
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(6000),
        runtime=lambda wildcards, attempt: round(60 + IMAGE_SETS[wildcards.image_set]["seconds"] / 60) * attempt,
    params:
        runs=lambda wildcards: IMAGE_RUNS[wildcards.image_set],
        options=lambda wildcards: IMAGE_SETS[wildcards.image_set]["options"],
        squeezers=lambda wildcards: IMAGE_SETS[wildcards.image_set]["squeezers"],
        false_positives=lambda wildcards: IMAGE_SETS[wildcards.image_set]["false_positives"],
        adaptive=lambda wildcards: IMAGE_SETS[wildcards.image_set]["adaptive"],
        seconds=lambda wildcards: IMAGE_SETS[wildcards.image_set]["seconds"],
        seed=ROBUST["seed"],
        version=STAGE_VERSIONS["robustness_images"],
    script:
        "../../../scripts/robustness/image_detect.py"


rule image_page:
    input:
        metrics="<results>/robustness/images/{image_set}/metrics.json",
        attacks="<results>/robustness/images/{image_set}/attacks.tsv",
        detection="<results>/robustness/images/{image_set}/detection.tsv",
        roc="<results>/robustness/images/{image_set}/roc.tsv",
        adaptive="<results>/robustness/images/{image_set}/adaptive.tsv",
        adversarial=of_runs("adversarial.npz"),
        outcomes=of_runs("outcome.tsv"),
    output:
        page=report(
            "<results>/robustness/images/{image_set}/report.html",
            caption="../../report/robustness/images.rst",
            category="Robustness",
            labels={"content": "Attacks on images and their detection, {image_set}"},
        ),
        attacks=report(
            "<results>/robustness/images/{image_set}/figures/attacks.svg",
            caption="../../report/robustness/attacks.rst",
            category="Robustness",
            labels={"content": "Success and distance of attacks, {image_set}"},
        ),
        detection=report(
            "<results>/robustness/images/{image_set}/figures/detection.svg",
            caption="../../report/robustness/detection.rst",
            category="Robustness",
            labels={"content": "Attacks that detectors notice, {image_set}"},
        ),
    log:
        "<logs>/image_page/{image_set}.log",
    conda:
        ENVIRONMENT
    params:
        runs=lambda wildcards: IMAGE_RUNS[wildcards.image_set],
        settings=lambda wildcards: IMAGE_SETS[wildcards.image_set],
        command=lambda wildcards, output: command_for(output[0]),
        version=STAGE_VERSIONS["report"],
    script:
        "../../../scripts/robustness/image_page.py"
