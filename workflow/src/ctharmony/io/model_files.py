"""Names of the files that make a model; whoever only copies or hashes them needs no torch."""

WEIGHTS, CARD, PEER = "weights.safetensors", "model_card.json", "peer.json"
