"""Fourier transforms, short-time transforms and windows."""

from harness import Row, randint, randn, rows

NAMES = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")

test_one_dimension = rows(
    *[Row(f"torch.fft.{name}(x)", x=randn(3, 6), grad=True, gradgrad=True) for name in NAMES],
    *[
        Row(f"torch.fft.{name}(x, n={n}, dim=0, norm={norm!r})", x=randn(5, 2), grad=True)
        for name in NAMES
        for n, norm in ((4, "ortho"), (7, "forward"))
    ],
    *[Row(f"torch.fft.{name}(x)", x=randn(5), dtype="complex64", grad=True) for name in ("fft", "ifft", "irfft", "hfft")],
    Row("torch.fft.fft(x)", x=randint(-3, 4, (5,)), dtypes="int64 float64"),
)

test_several_dimensions = rows(
    *[Row(f"torch.fft.{name}n(x)", x=randn(3, 4), grad=True, grad_fn=name != "ihfft") for name in NAMES],
    *[Row(f"torch.fft.{name}2(x, s=(3, 5), norm='ortho')", x=randn(2, 3, 4), grad=True, grad_fn=name != "ihfft") for name in NAMES],
    Row(
        "torch.fft.fftn(x, dim=(0, 2)), torch.fft.ifft2(x), torch.fft.irfftn(x, s=(-1, 4), dim=(1, 0))",
        x=randn(2, 3, 4),
        dtype="complex64",
        grad=True,
    ),
    Row("torch.fft.fftfreq(5), torch.fft.fftfreq(6, d=0.5), torch.fft.rfftfreq(5), torch.fft.rfftfreq(6, 2.0, dtype=torch.float64)"),
    Row("torch.fft.fftshift(x), torch.fft.ifftshift(x), torch.fft.fftshift(x, dim=1)", x=randn(3, 4), grad=True),
)

test_short_time = rows(
    Row("torch.stft(x, 4, return_complex=True)", x=randn(2, 10), grad=True, grad_fn=False),
    Row(
        "torch.stft(x, 6, hop_length=2, win_length=4, window=w, center=False, normalized=True, return_complex=True)",
        x=randn(12),
        w=randn(4),
        grad=True,
        grad_fn=False,
    ),
    Row("torch.stft(x, 4, onesided=False, return_complex=False)", x=randn(10)),
    Row(
        "torch.istft(torch.stft(x, 8, window=torch.hann_window(8), return_complex=True), 8, window=torch.hann_window(8))",
        x=randn(2, 24),
        grad=True,
    ),
    Row("torch.istft(torch.stft(x, 8, return_complex=True), 8, length=22)", x=randn(24)),
    Row("torch.stft(x, 4)", x=randn(10)),
    Row("torch.stft(x, 40, center=False, return_complex=True)", x=randn(10)),
    Row("torch.stft(x, 4, hop_length=0, return_complex=True)", x=randn(10)),
    Row("torch.istft(x, 4)", x=randn(3, 4)),
)

test_windows = rows(
    *[
        Row(f"torch.{name}_window({n}), torch.{name}_window({n}, periodic=False, dtype=torch.float64)")
        for name in ("hann", "hamming", "blackman", "bartlett", "kaiser")
        for n in (0, 1, 2, 7)
    ],
    Row("torch.hamming_window(5, True, 0.6, 0.4), torch.kaiser_window(5, True, 3.0)"),
    Row("torch.hann_window(-1)"),
    Row("torch.hann_window(5, dtype=torch.int32)"),
)

test_errors = rows(
    Row("torch.fft.fft(x, n=0)", x=randn(4)),
    Row("torch.fft.fft(x, norm='x')", x=randn(4)),
    Row("torch.fft.rfft(x)", x=randn(4), dtype="complex64"),
    Row("torch.fft.fft(x.half())", x=randn(4)),
    Row("torch.fft.fft(x, dim=3)", x=randn(4)),
    Row("torch.fft.fft(torch.tensor(1.0))"),
    Row("torch.fft.fftn(x, s=(1, 2))", x=randn(4)),
    Row("torch.fft.fftn(x, s=(3,), dim=(0, 1))", x=randn(4, 2)),
    Row("torch.fft.fftn(x, dim=(0, 0))", x=randn(4, 2)),
    Row("torch.fft.irfft(x)", x=randn(1)),
)
