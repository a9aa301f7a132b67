"""What a model is: making, loading, adapting, shrinking, encoding text for it."""
