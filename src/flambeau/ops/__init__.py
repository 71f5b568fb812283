"""Floor 4: the operators, one file per family."""
