"""A machine without accelerators answers as PyTorch's CPU build does."""

from harness import Row, rows

ANSWERS = """is_available() device_count() is_initialized() memory_allocated() memory_reserved() max_memory_allocated() empty_cache()
memory_stats() manual_seed(0) manual_seed_all(0) seed() seed_all() get_rng_state_all() is_bf16_supported()
get_arch_list() get_gencode_flags() synchronize() current_device() get_device_name() get_device_properties(0)
get_device_capability() current_stream() Stream() Event() device(0).__enter__() stream(None).__enter__() initial_seed()
get_rng_state() init() ipc_collect() mem_get_info() can_device_access_peer(0,1) CUDAGraph() FloatTensor(3)
nvtx.range_push('a') has_half default_generators""".split()

test_cuda = rows(
    *(Row(f"torch.cuda.{answer}") for answer in ANSWERS),
    Row("torch.cuda.memory_cached()", warns=True),
    Row("torch.cuda.amp.autocast()._enabled", warns=True),
    Row("torch.ones(2).cuda()"),
    Row("torch.ones(2, device='cuda')"),
)

test_others = rows(
    *(
        Row(f"torch.{e}")
        for e in """mps.is_available() mps.device_count() mps.synchronize() mps.empty_cache() mps.manual_seed(1) mps.seed()
        mps.Event() cpu.is_available() cpu.device_count() cpu.synchronize() cpu.current_device() cpu.set_device(0)
        xpu.is_available() xpu.device_count() xpu.synchronize() xpu.current_device() xpu.manual_seed(0)
        xpu.memory_allocated() xpu.get_device_name() xpu.Stream() accelerator.is_available()
        accelerator.device_count() accelerator.current_accelerator() accelerator.synchronize() backends.cudnn.enabled
        backends.cudnn.benchmark backends.cudnn.deterministic backends.cudnn.is_available() backends.cudnn.version()
        backends.cuda.is_built() backends.cuda.matmul.allow_tf32 backends.cuda.flash_sdp_enabled()
        backends.mps.is_available() backends.mps.is_built() backends.mkl.is_available() backends.mkldnn.is_available()
        backends.openmp.is_available() backends.mha.get_fastpath_enabled() backends.opt_einsum.is_available()""".split()
    ),
    Row("torch.backends.cuda.is_flash_attention_available(), torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed()"),
    Row(
        """
        c, found = torch.backends.cuda, []
        for name in ("flash", "mem_efficient", "math", "cudnn"):
            switch, asked = getattr(c, f"enable_{name}_sdp"), getattr(c, f"{name}_sdp_enabled")
            found.append(asked())
            switch(False)
            found.append(asked())
            switch(True)
        found""",
        name="switches of attention",
    ),
    Row(
        """
        c = torch.backends.cuda
        before = c.fp16_bf16_reduction_math_sdp_allowed()
        c.allow_fp16_bf16_reduction_math_sdp(not before)
        after = c.fp16_bf16_reduction_math_sdp_allowed()
        c.allow_fp16_bf16_reduction_math_sdp(before)
        before, after""",
        name="sums of attention in half precision",
    ),
    Row("with torch.backends.cudnn.flags(enabled=False):\n    r = torch.backends.cudnn.enabled\nr, torch.backends.cudnn.enabled"),
    Row("with torch.cpu.stream(torch.cpu.Stream()):\n    r = 1\nr, torch.cpu.Event().query()"),
)
