from chromattend.pipeline.jobs import job

from chromattend.figures import save
from chromattend.files import read_json, read_table, write_table
from chromattend.sequence.figures import plot_sequence_auc, plot_views
from chromattend.sequence.tables import MOTIFS, TRUST, auc_table, of_networks, views_table

with job(snakemake):
    sets, models, explained = snakemake.params.sets, snakemake.params.models, snakemake.params.explained
    pairs = [(one, model) for one in sets for model in models]
    metrics = dict(zip(pairs, map(read_json, snakemake.input.metrics), strict=True))
    networks = [(one, model) for one in sets for model in explained]
    motifs = of_networks(networks, map(read_table, snakemake.input.motifs), MOTIFS)
    auc, views = auc_table(metrics), views_table(motifs)
    write_table(auc, snakemake.output.auc)
    write_table(views, snakemake.output.views)
    write_table(of_networks(networks, map(read_table, snakemake.input.trust), TRUST), snakemake.output.trust)
    save(plot_sequence_auc(auc), snakemake.output.auc_figure)
    save(plot_views(views), snakemake.output.views_figure)
