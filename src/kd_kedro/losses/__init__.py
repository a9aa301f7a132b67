"""Pure torch losses between distributions and hidden states."""
