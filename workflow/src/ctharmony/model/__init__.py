"""The factorised beta-VAE: networks, objective, training, adaptation."""
