"""The fused kernels, one file per family, written for the kernel compiler."""
