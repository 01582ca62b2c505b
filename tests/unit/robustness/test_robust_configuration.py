"""Checks of the section `robustness`, and what the study runs."""

from pathlib import Path
from typing import Any

import pytest

from chromattend.errors import UserError
from chromattend.robustness.configuration import load_robustness
from chromattend.robustness.study import Offered, RobustnessStudy

MARKS = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3")
OFFERED = Offered(
    models=("deepchrome", "random_forest"),
    epigenomes={"E003": True, "W1": False},
    marks=MARKS,
    bin_size=100,
    span=10_000,
    sequence_models=("cnn", "gkm_svm"),
    sequence_sets=("USF1",),
)


@pytest.fixture
def load(repository: Path, tmp_path: Path) -> Any:
    def load(section: dict[str, Any] | None, offered: Offered = OFFERED) -> RobustnessStudy | None:
        schemas = repository / "workflow" / "schemas"
        return load_robustness({"robustness": section}, schemas, tmp_path, lambda _: "study.yaml", offered)

    return load


def test_the_section_is_off_unless_it_names_something(load: Any) -> None:
    assert load(None) is None
    assert load({"genes": 20}) is None
    assert load({"epigenomes": ["E003"]}) is None
    assert load({"models": ["deepchrome"], "epigenomes": ["E003"]}).models == ["deepchrome"]


def test_cross_talk_is_that_of_the_studys_marks(load: Any) -> None:
    section = {"models": ["deepchrome"], "epigenomes": ["E003"]}
    assert load(section).config["noise"]["cross_talk"] == [["H3K4me3", "H3K27me3", 0.2], ["H3K4me1", "H3K4me3", 0.2]]
    one = Offered(models=("deepchrome",), epigenomes={"E003": True}, marks=("H3K4me3", "H3K27me3"))
    assert load(section, one).config["noise"]["cross_talk"] == [["H3K4me3", "H3K27me3", 0.2]]


def test_images_have_all_defaults_and_runs_as_published(load: Any) -> None:
    study = load({"images": {"digits": None}})
    assert study.images["digits"]["false_positives"] == 0.05
    assert study.runs("digits") == [
        *("fgsm", "bim", "jsma-next", "jsma-least", "deepfool"),
        *("cw2-next", "cw2-least", "cwi-next", "cwi-least", "cw0-next", "cw0-least"),
    ]
    assert study.files("digits") == []


def test_images_that_are_urls_are_downloaded_and_known(load: Any) -> None:
    base = "https://storage.googleapis.com/cvdf-datasets/mnist/t10k-"
    places = {"images": f"{base}images-idx3-ubyte.gz", "labels": f"{base}labels-idx1-ubyte.gz"}
    study = load({"images": {"mnist": places}})
    name = "other/storage.googleapis.com/cvdf-datasets/mnist/t10k-images-idx3-ubyte.gz"
    assert study.downloads("https://example.org")[name] == places["images"]
    digest = "sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
    assert study.checksums[places["images"]] == (digest, 1648877)


MODELS: dict[str, Any] = {"models": ["deepchrome"], "epigenomes": ["E003"]}


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"models": ["deepcrome"]}, "key 'robustness.models.0': 'deepcrome' is not valid, did you mean 'deepchrome'?"),
        ({"models": ["lstm"]}, "'lstm' is not a model of the study; add it to 'models', or remove it here"),
        ({**MODELS, "epigenomes": ["E03"]}, "epigenome 'E03' is not in the study, did you mean 'E003'?"),
        ({"models": ["deepchrome"]}, "W1 has averaged signal (bigWig) instead of reads"),
        (
            {**MODELS, "noise": {"shift": [150]}},
            "150 bp is not a number of bins of 100 bp within the window of 10000",
        ),
        ({**MODELS, "noise": {"shift": [10_000]}}, "10000 bp is not a number of bins"),
        ({**MODELS, "noise": {"cross_talk": [["H3K4me2", "H3K9me3", 0.2]]}}, "'H3K4me2' is not a mark of the study"),
        ({**MODELS, "noise": {"cross_talk": [["H3K4me3", "H3K4me3", 0.2]]}}, "is given as its own other mark"),
        ({**MODELS, "noise": {"cross_talk": [["H3K4me3", "H3K4me1", 2]]}}, "2 is not a share; give a number above 0"),
        ({**MODELS, "noise": {"keep": [1]}}, "key 'robustness.noise.keep.0': 1 is out of range; give a number below 1"),
        ({**MODELS, "worst_case": {"budget": 3}}, "unknown key 'robustness.worst_case.budget'"),
        (
            {**MODELS, "detection": {"squeezers": [["bits_9"]]}},
            "'bits_9' is not valid; give bits_1 to bits_8",
        ),
        ({"sequences": {"models": ["rnn"]}}, "'rnn' is not a model of the study's sequences"),
        ({"sequences": {"models": ["gkm_svm"]}}, "'gkm_svm' is not valid; choose one of cnn, rnn, cnn_rnn, dilated"),
        ({"images": {"a b": None}}, "'a b' is not valid; give names of letters, digits and . + - _"),
        ({"images": {"a": {"images": "no.npz"}}}, "file 'no.npz' does not exist"),
        ({"images": {"a": {"images": "x.gz"}}}, "key 'robustness.images.a.images': file 'x.gz' does not exist"),
        ({"images": {"a": {"labels": "y.gz"}}}, "the digits of scikit-learn have labels; remove it"),
        ({"images": {"a": {"images": "https://a.org/x.gz"}}}, "an IDX file has no labels; give the file of its labels"),
        ({"images": {"a": {"images": "http://a.org/x.npz"}}}, "plain http can be altered in transit"),
        ({"images": {"a": {"weights": "https://a.org/w.h5"}}}, "is a URL; download the file and give its path"),
        ({"images": {"a": {"parts": [0, 0.5, 0.5]}}}, "leaves a part empty; give shares above 0"),
        ({"images": {"a": {"options": {"fgms": {}}}}}, "'fgms' is not one of the attacks, did you mean 'fgsm'?"),
        ({"images": {"a": {"options": {"fgsm": {"eps": 1}}}}}, "fgsm: has no option 'eps', did you mean 'epsilon'?"),
        ({"images": {"a": {"options": {"fgsm": 3}}}}, "fgsm has the value 3; give its options: epsilon"),
        (
            {"images": {"a": {"options": {"bim": {"iterations": 1.5}}}}},
            "bim: option iterations is 1.5; give a whole number",
        ),
        ({"images": {"a": {"network": "cnn"}}}, "'cnn' is not valid"),
        ({"images": {"a": 3}}, "key 'robustness.images.a': 3 has the wrong type; give a mapping of keys"),
        ({"images": {"a": {"options": {"fgsm": {"epsilon": -0.3}}}}}, "option epsilon is -0.3; give a number that is"),
        ({"images": {"a": {"images": "ftp://a.org/x.npz"}}}, "key 'robustness.images.a.images': source 'ftp://a.org"),
        ({"images": {"a": {"squeezers": [["bits_1"], ["bits_1"]]}}}, "['bits_1'] is given twice; remove one"),
        ({**MODELS, "detection": {"squeezers": [["median_1"]]}}, "'median_1' is not valid"),
        ({**MODELS, "worst_case": {"factors": [float("inf")]}}, "factors.0': inf has the wrong type; give a number"),
        ({"images": 3}, "key 'robustness.images': 3 has the wrong type"),
    ],
)
def test_an_error_is_one_line_that_names_the_key(load: Any, section: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        load(section)
    assert message in str(caught.value)
    assert str(caught.value).startswith("study.yaml: ")
    assert "\n" not in str(caught.value)


def test_sequences_need_a_sheet(load: Any) -> None:
    with pytest.raises(UserError, match=r"the study has no sequences, because 'sequence\.sheet' is null"):
        load({"sequences": {"models": ["cnn"]}}, Offered())


def test_weights_need_a_network_that_reads_them(load: Any, tmp_path: Path) -> None:
    (tmp_path / "w.h5").touch()
    with pytest.raises(UserError, match="weights of the network small cannot be read; give null to train it"):
        load({"images": {"a": {"weights": "w.h5"}}})
    assert load({"images": {"a": {"weights": "w.h5", "network": "carlini"}}}).images["a"]["weights"] == "w.h5"
