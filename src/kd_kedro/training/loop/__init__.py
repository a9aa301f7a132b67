"""One training: batches, objective, optimiser, checkpoints, processes."""
