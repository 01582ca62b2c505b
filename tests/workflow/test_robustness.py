"""The track of robustness, planned as a user plans it."""

from pathlib import Path

from .conftest import Workspace


def configure(workspace: Workspace, repository: Path, robustness: dict | None, **more: object) -> None:
    """Write a configuration of two models and two epigenomes, whose files are only planned."""
    sizes = str(repository / "config/demo/synthetic.chrom.sizes")
    config: dict = {"genome": {"name": "synthetic", "chrom_sizes": sizes}}
    config |= {"models": ["logistic_regression", "deepchrome"], **more}
    config |= {} if robustness is None else {"robustness": robustness}
    workspace.configure(config, "epigenome\tname\nSYN1\tone\nSYN2\ttwo\n")


def plan(workspace: Workspace, *arguments: str) -> dict[str, int]:
    return workspace.succeed("--dry-run", "--quiet", "rules", *arguments).jobs


def test_the_track_is_off_until_it_names_something(workspace: Workspace, repository: Path) -> None:
    configure(workspace, repository, None)
    assert not [rule for rule in plan(workspace) if rule.startswith(("robust", "image"))]
    assert plan(workspace, "--", "robustness") == {"robustness": 1}


def test_models_are_tested_in_the_named_epigenomes(workspace: Workspace, repository: Path) -> None:
    configure(workspace, repository, {"models": ["logistic_regression", "deepchrome"], "epigenomes": ["SYN2"]})
    tested = {"robust_noise": 2, "robust_attack": 2, "robust_page": 2}
    tested |= {"robust_transfer": 1, "robust_tables": 1, "robust_index": 1}
    both = plan(workspace)
    assert {rule: number for rule, number in both.items() if rule.startswith("robust")} == tested
    assert both["train"] == 4
    alone = plan(workspace, "--", "robustness")
    assert alone["train"] == 2
    assert alone["robustness"] == 1
    page = plan(workspace, "--", "results/robustness/chromatin/SYN2/deepchrome/report.html")
    assert page["robust_page"] == 1
    assert "robust_tables" not in page
    result = workspace.snakemake("--dry-run", "--", "results/robustness/chromatin/SYN1/deepchrome/report.html")
    assert result.code != 0


def test_images_need_no_epigenome(workspace: Workspace, repository: Path) -> None:
    configure(workspace, repository, {"images": {"digits": {"attacks": ["fgsm", "cw2"]}}})
    jobs = {"image_model": 1, "image_attack": 3, "image_detect": 1, "image_page": 1}
    assert plan(workspace, "--", "robustness") == jobs | {"robust_index": 1, "robustness": 1}
    # Another option of one attack repeats that attack only, and nothing is trained again.
    result = workspace.succeed("--dry-run", "--", "results/robustness/images/digits/cw2-next/outcome.tsv")
    assert result.jobs == {"image_model": 1, "image_attack": 1}


def test_images_at_urls_are_downloads_with_known_checksums(workspace: Workspace, repository: Path) -> None:
    base = "https://storage.googleapis.com/cvdf-datasets/mnist/t10k-"
    files = {"images": f"{base}images-idx3-ubyte.gz", "labels": f"{base}labels-idx1-ubyte.gz"}
    configure(workspace, repository, {"images": {"mnist": files}})
    jobs = plan(workspace, "--", "results/robustness/images/mnist/model.pt")
    assert jobs == {"download": 2, "image_model": 1}


def test_an_error_is_one_line_before_any_job(workspace: Workspace, repository: Path) -> None:
    configure(workspace, repository, {"models": ["attentivechrome"]})
    result = workspace.snakemake("--dry-run")
    assert result.code != 0
    assert "key 'robustness.models': 'attentivechrome' is not a model of the study" in result.output
    assert "Traceback" not in result.output
