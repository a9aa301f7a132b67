"""What a distillation will cost, from short measurements."""
