"""What the start page of the report says was run."""

import re
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from bs4 import BeautifulSoup
from builders import merged
from docutils.core import publish_parts

from chromattend import __version__
from chromattend.chromatin.configuration import load_study
from chromattend.chromatin.pages import about
from chromattend.chromatin.study import Study


def test_the_study_is_described_even_where_jobs_have_environments_of_their_own(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = yaml.safe_load((repository / "config/config.yaml").read_text())
    study = load_study(config, repository / "workflow/schemas", repository)
    found = about.about(study)
    assert (found["epigenomes"], found["split"], found["bin"]) == (56, "sequential", 100)
    assert found["models"][-1] == "AttentiveChrome"
    assert found["versions"]["chromattend"] == __version__
    # The marks of 56 epigenomes and the expression matrix are on one server, the annotation too if it is not local.
    assert re.fullmatch(r"3\d\d files from egg2\.wustl\.edu", found["origins"][0])
    own = load_study(
        {**config, "sources": config["sources"] | {"annotation": "config/config.yaml"}},
        repository / "workflow/schemas",
        repository,
    )
    assert about.about(own)["origins"][1] == "1 local file"
    assert found["versions"]["torch"].startswith("2.")

    def missing(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr(about, "version", missing)
    assert about.about(study)["versions"]["torch"] == r"of the rules\' environments"


def start_page(repository: Path, study: Study) -> str:
    """The start page of the report as Snakemake renders it."""
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((repository / "workflow/report/workflow.rst").read_text())
    text = template.render(snakemake={"config": {"about": about.about(study)}})
    html: str = publish_parts(text, writer="html", settings_overrides={"report_level": 5})["body"]
    assert "system-message" not in publish_parts(text, writer="html", settings_overrides={"report_level": 1})["body"]
    return html


def test_the_start_page_is_valid_with_and_without_epigenomes(repository: Path) -> None:
    config = yaml.safe_load((repository / "config/config.yaml").read_text())
    whole = start_page(repository, load_study(config, repository / "workflow/schemas", repository))
    assert "Methods, to paste" in whole
    assert "56 epigenomes, 15 models" in whole
    alone = start_page(repository, load_study({}, repository / "workflow/schemas", repository))
    assert "has run its tracks without epigenomes" in alone
    assert "Genome" not in alone


def alone_with_deepchrome(config: dict[str, Any], repository: Path) -> Study:
    changed = merged(config, {"models": ["deepchrome"], "interpret": {"models": ["deepchrome"]}})
    return load_study(changed, repository / "workflow/schemas", repository)


def test_methods_say_what_the_configuration_says(repository: Path) -> None:
    config = yaml.safe_load((repository / "config/config.yaml").read_text())
    text = about.methods(load_study(config, repository / "workflow/schemas", repository))
    assert text.startswith("Signal of histone marks was counted in bins of 100 bp from 5,000 bp upstream to 5,000 bp")
    assert "genome hg19) for 56 samples. Genes were divided in the order of their ids" in text
    assert "ON if its expression (RPKM) was above the sample's median" in text
    explained = (
        "DeepChrome, LSTM-alpha and AttentiveChrome were explained on at most 500 test genes with Attention (alpha)"
    )
    assert explained in text
    assert "Attention" not in about.methods(alone_with_deepchrome(config, repository))
    assert text.endswith("Singh et al., Bioinformatics 32, i639 (2016); Singh et al., NIPS 30 (2017).")
    example = yaml.safe_load((repository / "config/demo/config.yaml").read_text())
    example |= {"models": ["random_forest"], "split": {"mode": "random"}}
    text = about.methods(load_study(example, repository / "workflow/schemas", repository))
    assert "Genes were divided at random, in shares of 3:1:1 for training, validation and test, and" in text
    assert "Random forest were trained" not in text
    assert "explained" not in text
    assert "Singh" not in text


@pytest.mark.parametrize(
    "text",
    [
        "hg19_",
        "a `b`_ |c| *d* **e** ``f`` :math:`x`",
        "<b>&amp;</b>",
        "x\n\n.. raw:: html\n\n   <b>y</b>",
        "`a <javascript:b>`_",
        "https://mirror.example",
    ],
)
def test_names_are_text_on_the_start_page(repository: Path, text: str) -> None:
    config = yaml.safe_load((repository / "config/config.yaml").read_text())
    study = load_study(
        {**config, "genome": config["genome"] | {"name": text}}, repository / "workflow/schemas", repository
    )
    html = publish_parts(f"- Genome {about.about(study)['genome']}, bins\n", writer="html")["body"]
    soup = BeautifulSoup(html, "html.parser")
    assert soup.text.strip() == f"Genome {' '.join(text.split())}, bins"
    assert {tag.name for tag in soup.find_all(True)} <= {"ul", "li", "p"}
