"""`torch.utils.deterministic`: a setting that is kept."""

fill_uninitialized_memory = True
"""Whether, under `torch.use_deterministic_algorithms`, memory that was never written to is filled."""
