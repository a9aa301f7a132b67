"""What a run was made of: provenance, recipe, comparison, reproduction, pruning."""
