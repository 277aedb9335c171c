"""Train a peer of the model on the reference sites."""

from ctharmony.job import start_job

logger = start_job(snakemake)

import torch  # noqa: E402

from ctharmony.io.checkpoints import EpochLog  # noqa: E402
from ctharmony.io.models import read_scans, read_usable_rows, write_peer  # noqa: E402
from ctharmony.model.peers import PeerSettings, train_peer  # noqa: E402
from ctharmony.model.settings import Settings  # noqa: E402

params, name = snakemake.params, snakemake.wildcards.peer
torch.set_num_threads(snakemake.threads)
rows = read_usable_rows(snakemake.input.ingested, snakemake.input.registered)
scans = list(read_scans(rows[rows["split"] == "train"]))
how, settings = PeerSettings.from_dict(params.settings), Settings.from_dict(params.model)
log = EpochLog(logger, {**params.model["training"], "steps": how.steps})
peer = train_peer(name, scans, settings, how, params.seed, log.report)
write_peer(snakemake.output[0], name, peer, params.settings)
logger.info("%s: %d steps on %d scans", name, how.steps, len(scans))
