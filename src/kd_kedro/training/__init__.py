"""The distillation engine."""
