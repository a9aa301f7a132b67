"""One folder a pipeline: nodes, the pipeline that wires them, its parameters."""
