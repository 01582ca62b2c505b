"""Scores of new sequences, and of the two alleles of variants, by trained models."""

import itertools
import logging
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from chromattend.errors import UserError, listed
from chromattend.models.base import TrainedModel
from chromattend.models.baseline import Baseline
from chromattend.models.registry import REGISTRY
from chromattend.sequence.alphabets import ALPHABETS, UNKNOWN, Alphabet
from chromattend.sequence.readers import open_genome, read_sequences
from chromattend.text import open_bytes, read_lines

logger = logging.getLogger(__name__)

# Variants and windows that are scored together: all models read a window before the next ones are read.
BATCH = 512
VARIANT = ("chrom", "pos", "id", "ref", "alt")
# Distance between the windows of a sequence that is longer than the models read, as a share of their length.
STRIDE = 0.25
_BASES = frozenset("ACGT")

# Reason to leave out an allele.
SAME = "equal to the reference"


@dataclass(frozen=True)
class Variant:
    """One alternative allele of a line of a VCF file; `start` is 0-based, `position` 1-based as in the file."""

    line: int
    chrom: str
    position: int
    id: str
    ref: str
    alt: str

    @property
    def start(self) -> int:
        """First base of the reference allele, 0-based."""
        return self.position - 1


def logits(model: TrainedModel, letters: np.ndarray) -> np.ndarray:
    """Return logits of binding, the mean of both strands for DNA, float64, shape (sequence,).

    Networks of both strands average by themselves, and k-mers count both; a network that reads one strand reads both
    here.

    Args:
        model: a trained model of the track; a gapped k-mer SVM scores fastest, and without rounding of probabilities,
            in the form of a network, see `in_form`.
        letters: int8, shape (sequence, position), -1 for unknown letters.
    """
    signal = model.input_spec.encode(letters)
    if isinstance(model, Baseline):
        probability = model.outputs(signal).mean(axis=0).astype(np.float64)
        # Estimators give probabilities in float32, which is 0 or 1 where a logit is beyond 17.
        return special.logit(np.clip(probability, 2.0**-24, 1 - 2.0**-24))
    import torch

    from chromattend.models.network import Network, in_batches

    assert isinstance(model, Network)
    with torch.inference_mode():
        inputs = torch.from_numpy(signal)
        outputs = in_batches(model, inputs)
        if model.input_spec.alphabet == "dna" and any(replicate.strands == "one" for replicate in model.replicates):
            outputs = (outputs + in_batches(model, inputs.flip(1, 2))) / 2
    return outputs.double().numpy()


def in_form(models: Mapping[str, TrainedModel]) -> dict[str, TrainedModel]:
    """Return models in the form that scores fastest: gapped k-mer SVMs as `KernelMachine`."""
    from chromattend.sequence.machine import explainable

    return {
        name: explainable(model) if REGISTRY[model.input_spec.model].kernel else model for name, model in models.items()
    }


def common_input(models: Mapping[str, TrainedModel]) -> tuple[Alphabet, int]:
    """Return alphabet and length that all models read.

    Raises:
        UserError: no model is given, or two models read different sequences.
    """
    if not models:
        raise UserError("models: none is given; give at least one model.ckpt of the sequence track")
    first, *_ = models
    for name, model in models.items():
        if not hasattr(model.input_spec, "alphabet"):
            raise UserError(f"{name}: is not a model of sequences; give models of the sequence track")
        for what in ("alphabet", "length"):
            own, other = (getattr(models[each].input_spec, what) for each in (name, first))
            if own != other:
                raise UserError(
                    f"{name}: was trained on sequences of {what} {own}, but {first} on {other}; give models of one kind"
                )
    spec = models[first].input_spec
    return ALPHABETS[spec.alphabet], spec.length


def score_variants(models: Mapping[str, TrainedModel], vcf: str | Path, genome: str | Path) -> pd.DataFrame:
    """Score both alleles of every variant of a VCF file.

    A window has the length that the models were trained on. The longer allele is in its middle; both alleles have the
    same base before them, and the shorter one has more of the genome after it. Beyond the ends of a chromosome, letters
    are unknown. A processor scores about 1,100 variants a second by a CNN of 128 maps that reads both strands.

    Args:
        models: name -> trained model; all read the same alphabet (DNA) and length.
        vcf: VCF file, plain or compressed (gzip, bgzip); its header is not needed. A line with several alternative
            alleles gives a row for each. Symbolic alleles (`<DEL>`), breakends, `*`, lines without an alternative
            allele, and alleles that are longer than the window are left out with a warning that counts them.
        genome: FASTA file of the genome with its index.

    Returns:
        One row per alternative allele, in the file's order: chrom, pos (1-based), id, ref, alt, and for each model
        `{model}_ref` and `{model}_alt` (logits, see `logits`) and `{model}_delta` (alt - ref: above 0 if the variant
        strengthens binding).

    Raises:
        UserError: the models differ in their input; a line is not a variant, its chromosome or position is not in the
            genome, or its reference allele is not the genome's.
    """
    alphabet, length = common_input(models)
    if alphabet.name != "dna":
        raise UserError(
            f"{next(iter(models))}: was trained on {alphabet.name}, but variants are DNA; give models of DNA"
        )
    models = in_form(models)
    rows: list[tuple] = []
    columns: dict[str, list[np.ndarray]] = {name: [] for name in models}
    left_out: dict[str, int] = {}
    with open_genome(genome) as fasta, closing(read_vcf(vcf, left_out)) as variants:
        fitting = _fitting(variants, length, left_out)
        for batch in _batched(fitting, BATCH):
            windows = [_alleles(variant, fasta, length, str(vcf), str(genome)) for variant in batch]
            letters = np.stack([alphabet.encode(text, str(genome)) for pair in windows for text in pair])
            for name, model in models.items():
                columns[name].append(logits(model, letters).reshape(-1, 2))
            rows += [(each.chrom, each.position, each.id, each.ref, each.alt) for each in batch]
    for reason, number in left_out.items():
        logger.warning(
            "%s: left out %d alternative %s: %s", vcf, number, "allele" if number == 1 else "alleles", reason
        )
    table = pd.DataFrame(rows, columns=list(VARIANT))
    for name, parts in columns.items():
        ref, alt = np.concatenate(parts).T if parts else np.empty((2, 0))
        table[f"{name}_ref"], table[f"{name}_alt"], table[f"{name}_delta"] = ref, alt, alt - ref
    return table


def read_vcf(path: str | Path, left_out: dict[str, int]) -> Generator[Variant, None, None]:
    """Yield the alternative alleles of a VCF file; count in `left_out`, by reason, those that are no sequences.

    Raises:
        UserError: the file is not text or has no variant; a line has too few columns, an invalid position, or an
            allele that is not DNA.
    """
    empty = True
    with open_bytes(path) as stream:
        if stream.read(3) == b"BCF":
            raise UserError(f"{path}: is a BCF file; convert it: bcftools view -O z -o variants.vcf.gz {path}")
    with closing(read_lines(path)) as lines:
        for number, line in lines:
            if line.startswith("#") or not line.strip():
                continue
            empty, where, cells = False, f"{path}: line {number}", line.split("\t")
            if len(cells) < 5:
                raise UserError(
                    f"{where}: has {len(cells)} columns separated by tabs, but a VCF line has at least 5 (CHROM, POS, "
                    "ID, REF, ALT); correct the line"
                )
            chrom, position, name, ref, alts = (cell.strip() for cell in cells[:5])
            if not position.isdecimal() or int(position) < 1:
                raise UserError(f"{where}: position {position!r} is not a whole number from 1; correct the line")
            for alt in alts.split(","):
                if reason := _no_sequence(alt):
                    left_out[reason] = left_out.get(reason, 0) + 1
                    continue
                if alt.upper() == ref.upper():
                    left_out[SAME] = left_out.get(SAME, 0) + 1
                    continue
                for allele in (ref, alt):
                    if not allele or set(allele.upper()) - _BASES - {"N"}:
                        raise UserError(f"{where}: allele {allele!r} is not DNA; give letters A, C, G, T or N")
                yield Variant(number, chrom, int(position), name, ref.upper(), alt.upper())
    if empty:
        raise UserError(f"{path}: has no variant; give a VCF file with at least one line")


def _no_sequence(alt: str) -> str:
    """Return why an alternative allele is not a sequence, or an empty string."""
    if alt in (".", ""):
        return "there is none"
    if alt == "*":
        return "'*', the place is deleted by another variant"
    if alt.startswith("<") or "[" in alt or "]" in alt or alt.startswith(".") or alt.endswith("."):
        return "symbolic, such as <DEL>, or a breakend, whose sequence is not given"
    return ""


def _fitting(variants: Iterable[Variant], length: int, left_out: dict[str, int]) -> Iterator[Variant]:
    for variant in variants:
        if max(len(variant.ref), len(variant.alt)) <= length:
            yield variant
        else:
            reason = f"longer than the {length} bp that the models read"
            left_out[reason] = left_out.get(reason, 0) + 1


def _batched(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


def _alleles(variant: Variant, fasta: Any, length: int, source: str, genome: str) -> tuple[str, str]:
    """Return the windows of the reference and of the alternative allele, `length` letters each.

    Raises:
        UserError: the variant does not fit the genome; the message names file, line, place and both alleles.
    """
    where = f"{source}: line {variant.line}: {variant.chrom}:{variant.position}"
    if variant.chrom not in fasta:
        names = list(fasta.references)
        raise UserError(
            f"{where}: chromosome {variant.chrom!r} is not in {genome}, which has {listed(names)}"
            "; use the names of the genome, or give the right genome"
        )
    size, stop = fasta.get_reference_length(variant.chrom), variant.start + len(variant.ref)
    if stop > size:
        raise UserError(
            f"{where}: is beyond the end of {variant.chrom}, which has {size} bp in {genome}; give the genome that the "
            "variants were called on"
        )
    start = variant.start - (length - max(len(variant.ref), len(variant.alt))) // 2
    # The alternative allele of a deletion needs more of the genome after it.
    end = start + length + max(0, len(variant.ref) - len(variant.alt))
    text = "N" * max(0, -start) + fasta.fetch(variant.chrom, max(0, start), min(end, size)).upper()
    text = text.ljust(end - start, "N")
    before, after = text[: variant.start - start], text[stop - start :]
    own = text[variant.start - start : stop - start]
    # An ambiguous letter of the genome or of the file agrees with every base.
    if any(a != b and a in _BASES and b in _BASES for a, b in zip(own, variant.ref, strict=True)):
        raise UserError(
            f"{where}: the reference allele is {variant.ref} in the file but {own} in {genome}; give the genome that "
            "the variants were called on"
        )
    return tuple((before + allele + after)[:length] for allele in (own, variant.alt))


def score_sequences(
    models: Mapping[str, TrainedModel],
    paths: str | Path | Sequence[str | Path],
    *,
    genome: str | Path = "",
    width: int = 0,
) -> pd.DataFrame:
    """Score the sequences of FASTA, DeepBind or BED files.

    Sequences of any length are scored, none is cut. A shorter one than the models were trained on is put in the middle
    of unknown letters, as in training. A longer one is read through windows of that length, a quarter of it apart, the
    last at the end of the sequence; its score is that of the best window, since one site is enough to bind.

    Args:
        models: name -> trained model; all read the same alphabet and length.
        paths: one file, or several.
        genome: FASTA file of the genome with its index, for BED.
        width: score a window of this width around the middle or summit of each BED interval (bp); 0 scores the
            intervals as they are.

    Returns:
        One row per sequence, in the files' order: file, sequence (its name), place (coordinates, if known), length, and
        for each model `{model}_logit`, `{model}_probability`, and `{model}_start`, the 0-based first letter of the best
        window (0 for sequences that fit into one).

    Raises:
        UserError: see `common_input` and `chromattend.sequence.readers.read_sequences`.
    """
    alphabet, length = common_input(models)
    models, tables = in_form(models), []
    for path in [paths] if isinstance(paths, str | Path) else paths:
        sequences = read_sequences(path, alphabet, genome=genome, width=width)
        for note in sequences.notes:
            logger.warning("%s", note)
        table = pd.DataFrame({"file": str(path), "sequence": sequences.names, "place": sequences.places})
        table["length"] = [len(each) for each in sequences.letters]
        windows = [window for each in sequences.letters for window in _windows(each, length)]
        starts = np.concatenate([_starts(len(each), length) for each in sequences.letters])
        # Where the windows of each sequence begin in the list of all.
        first = np.cumsum([0, *(len(_starts(len(each), length)) for each in sequences.letters)])
        for name, model in models.items():
            parts = [logits(model, np.stack(windows[at : at + BATCH])) for at in range(0, len(windows), BATCH)]
            scores = np.concatenate(parts)
            best = [low + int(scores[low:high].argmax()) for low, high in itertools.pairwise(first.tolist())]
            table[f"{name}_logit"], table[f"{name}_probability"] = scores[best], special.expit(scores[best])
            table[f"{name}_start"] = starts[best]
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _starts(letters: int, length: int) -> np.ndarray:
    """Return the first letters of the windows of a sequence."""
    last = max(letters - length, 0)
    return np.unique([*range(0, last, max(1, int(length * STRIDE))), last])


def _windows(letters: np.ndarray, length: int) -> list[np.ndarray]:
    if len(letters) < length:
        padded = np.full(length, UNKNOWN, dtype=np.int8)
        before = (length - len(letters)) // 2
        padded[before : before + len(letters)] = letters
        return [padded]
    return [letters[start : start + length] for start in _starts(len(letters), length)]
