rule image_model:
    input:
        images=image_files,
        weights=lambda wildcards: ROBUSTNESS.images[wildcards.image_set]["weights"] or [],
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
        network=lambda wildcards: ROBUSTNESS.images[wildcards.image_set]["network"],
        parts=lambda wildcards: ROBUSTNESS.images[wildcards.image_set]["parts"],
        epochs=lambda wildcards: ROBUSTNESS.images[wildcards.image_set]["epochs"],
        # Images that stay in the test of a classifier that was trained elsewhere: enough to attack the first ones.
        first=lambda wildcards: (
            2 * ROBUSTNESS.images[wildcards.image_set]["examples"]
            if ROBUSTNESS.images[wildcards.image_set]["weights"]
            else 0
        ),
        seed=ROBUSTNESS.config["seed"],
        version=STAGE_VERSIONS["robustness"],
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
        runtime=lambda wildcards, attempt: round(30 + ROBUSTNESS.images[wildcards.image_set]["seconds"] / 60) * attempt,
    params:
        options=lambda wildcards: ROBUSTNESS.images[wildcards.image_set]["options"].get(
            wildcards.image_run.partition("-")[0], {}
        ),
        examples=lambda wildcards: ROBUSTNESS.images[wildcards.image_set]["examples"],
        seconds=lambda wildcards: ROBUSTNESS.images[wildcards.image_set]["seconds"],
        seed=ROBUSTNESS.config["seed"],
        version=STAGE_VERSIONS["robustness"],
    script:
        "../../../scripts/robustness/image_attack.py"


rule image_detect:
    input:
        model="<results>/robustness/images/{image_set}/model.pt",
        images="<results>/robustness/images/{image_set}/held_out.npz",
        adversarial=lambda wildcards: expand(
            "<results>/robustness/images/{{image_set}}/{image_run}/adversarial.npz",
            image_run=ROBUSTNESS.runs(wildcards.image_set),
        ),
        outcomes=lambda wildcards: expand(
            "<results>/robustness/images/{{image_set}}/{image_run}/outcome.tsv",
            image_run=ROBUSTNESS.runs(wildcards.image_set),
        ),
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
        runtime=lambda wildcards, attempt: round(60 + ROBUSTNESS.images[wildcards.image_set]["seconds"] / 60) * attempt,
    params:
        runs=lambda wildcards: ROBUSTNESS.runs(wildcards.image_set),
        options=lambda wildcards: ROBUSTNESS.images[wildcards.image_set]["options"],
        squeezers=lambda wildcards: ROBUSTNESS.images[wildcards.image_set]["squeezers"],
        false_positives=lambda wildcards: ROBUSTNESS.images[wildcards.image_set]["false_positives"],
        adaptive=lambda wildcards: ROBUSTNESS.images[wildcards.image_set]["adaptive"],
        seconds=lambda wildcards: ROBUSTNESS.images[wildcards.image_set]["seconds"],
        seed=ROBUSTNESS.config["seed"],
        version=STAGE_VERSIONS["robustness"],
    script:
        "../../../scripts/robustness/image_detect.py"
