"""A short training run in a program of its own: `distributed_training.py DEVICES RESULT`."""

import json
import sys

import synthetic
from ctharmony.model.devices import leads
from ctharmony.model.settings import Settings
from ctharmony.model.training import Hooks, train
from training_block import training_block


def main(devices: int, path: str) -> None:
    block = training_block()
    block["training"].update(devices=devices, scans_per_step=6, checkpoint_minutes=1e-9, steps=3)
    block["training"].update(steps_per_epoch=1)
    block["objective"].update(mutual_information=0.5)
    block["invariance"].update(divergence="gaussian", weight=1.0)
    scans = synthetic.study(per_site=2, validation=1, field_mm=160.0, slices=3)
    saved: list[int] = []
    hooks = Hooks(on_checkpoint=lambda state: saved.append(state["progress"]["step"]))
    _, history = train(scans, Settings.from_dict(block), seed=3, threads=1, hooks=hooks)
    if leads():
        values = [(f"{r['epoch']} {r['split']} {r['term']}", r["value"]) for r in history]
        content = {"values": values, "checkpoints": len(saved) // block["training"]["steps"]}
        with open(path, "w") as stream:
            json.dump(content, stream)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
