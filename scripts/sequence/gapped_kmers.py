from chromattend.pipeline.jobs import job

from chromattend.files import write_table
from chromattend.models import load_model
from chromattend.sequence.alphabets import ALPHABETS
from chromattend.sequence.kernel.top import top_gapped_kmers
from chromattend.sequence.machine import KernelMachine

with job(snakemake):
    machine = KernelMachine(load_model(snakemake.input[0]))
    letters = ALPHABETS[machine.input_spec.alphabet].letters
    write_table(top_gapped_kmers(machine.weights, letters, number=snakemake.params.number), snakemake.output[0])
