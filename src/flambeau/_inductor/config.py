"""`torch._inductor.config`: settings that are kept and change nothing."""

debug = False
max_autotune = False
coordinate_descent_tuning = False
epilogue_fusion = True
shape_padding = True
freezing = False
fx_graph_cache = True
cpp_wrapper = False
