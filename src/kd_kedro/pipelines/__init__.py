"""One folder a pipeline: nodes, wiring, parameters; no algorithm."""
