"""The champion: a candidate, its comparison with it, MLflow's model registry."""
