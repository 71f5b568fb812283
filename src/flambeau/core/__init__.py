"""Floor 1: dtypes and promotion, devices, sizes, layout of memory, the generator, printing, names.

Nothing here knows what a tensor or an operator is.
"""
