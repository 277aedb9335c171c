"""Train one model on the reference sites."""

from ctharmony.job import spread_over_nodes, start_job

logger = start_job(snakemake)
training = snakemake.params.settings["training"]
spread_over_nodes(training["nodes"], training["devices"])

from pathlib import Path  # noqa: E402

from ctharmony.io.checkpoints import CheckpointFolder, EpochLog  # noqa: E402
from ctharmony.jobs import training as work  # noqa: E402
from ctharmony.model.card import model_card  # noqa: E402
from ctharmony.model.devices import leads  # noqa: E402
from ctharmony.model.settings import Settings  # noqa: E402
from ctharmony.model.training import Hooks, train  # noqa: E402

params, output = snakemake.params, Path(snakemake.output[0])
rows = work.training_rows(snakemake.input, params.get("taken_in", []))
settings, folder = Settings.from_dict(params.settings), CheckpointFolder(params.checkpoint, logger)
scans = work.training_scans(rows, params.rows, settings, folder.path.parent / "scans")
state = folder.load(settings.to_dict(), params.seed)
hooks = Hooks(folder.save, EpochLog(logger, training).report, folder.should_stop)
model, history = train(scans, settings, params.seed, snakemake.threads, state, hooks)
if leads():
    card = model_card(model, scans, history, params.seed) | {"withdrawn_sites": params.withdrawn}
    work.write_trained(output, model, card, history)
    work.write_reference_sites(output, model, params.sites, rows, params.operator_settings)
    folder.remove()
