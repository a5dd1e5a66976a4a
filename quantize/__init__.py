"""The workshop: shrink a float model to INT8 for each target and prove that nothing was lost."""
