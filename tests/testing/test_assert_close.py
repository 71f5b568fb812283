"""The texts of mismatches, and make_tensor's numbers."""

from harness import Row, rows

T = "torch.testing.assert_close"
test_comparison = rows(
    Row(f"{T}(torch.ones(3), torch.tensor([1., 2., 1.]))"),
    Row(f"{T}(torch.ones(3), torch.tensor([1, 1, 1]))"),
    Row(f"{T}(torch.ones(3), torch.ones(2))"),
    Row(f"{T}(1.0, 2.0)"),
    Row(f"{T}(1, 2)"),
    Row(f"{T}(1j, 2j)"),
    Row(f"{T}(1, 1.0)"),
    Row(f"{T}(1, 1.0, check_dtype=False)"),
    Row(f"{T}(True, False)"),
    Row(f"{T}('a', 'b')"),
    Row(f"{T}([torch.ones(2), 1], [torch.ones(2), 2])"),
    Row(f"{T}([1], [1, 2])"),
    Row(f"{T}({{'a': 1}}, {{'b': 1}})"),
    Row(f"{T}({{'a': torch.ones(2)}}, {{'a': torch.zeros(2)}})"),
    Row(f"{T}(None, None)"),
    Row(f"{T}(None, 1)"),
    Row(f"{T}(torch.tensor([1, 2]), torch.tensor([1, 3]))"),
    Row(f"{T}(torch.tensor([True]), torch.tensor([False]))"),
    Row(f"{T}(torch.tensor(1.), torch.tensor(2.))"),
    Row(f"{T}(torch.tensor(1.), torch.tensor(float('nan')))"),
    Row(f"{T}(torch.tensor(float('nan')), torch.tensor(float('nan')), equal_nan=True)"),
    Row(f"{T}(torch.ones(2), torch.ones(2), rtol=0.1)"),
    Row(f"{T}(torch.ones(2), np.ones(2))"),
    Row(f"{T}(torch.ones(2), 1.0)"),
    Row(f"{T}(np.ones(2), np.zeros(2))"),
    Row(f"{T}(torch.ones(2), torch.zeros(2), msg='hello')"),
    Row(f"{T}(torch.ones(2), torch.zeros(2), msg=lambda m: 'X ' + m)"),
    Row(f"{T}(torch.ones(2, 3), torch.ones(3, 2).T, check_stride=True)"),
    Row(f"{T}(torch.ones(2, 3), torch.zeros(2, 3), rtol=0, atol=.5)"),
    Row(f"{T}(torch.ones(2, device='meta'), torch.ones(2))"),
    Row(f"{T}(torch.ones(2, dtype=torch.float64), torch.ones(2), check_dtype=False)"),
    Row(f"{T}(torch.ones(2, dtype=torch.complex64), torch.zeros(2, dtype=torch.complex64))"),
    Row(f"{T}(torch.ones(2, dtype=torch.bfloat16), torch.full((2,), 1.1, dtype=torch.bfloat16))"),
    Row(f"{T}(torch.ones(2), torch.nn.Parameter(torch.ones(2)))"),
    Row(f"{T}(torch.ones(2), torch.nn.Parameter(torch.ones(2)), allow_subclasses=False)"),
    Row(f"{T}([[torch.ones(2)]], [[torch.zeros(2)]])"),
    Row(f"{T}(torch.zeros(0), torch.zeros(0))"),
    Row(f"{T}(torch.ones(2), torch.ones(2) + 1e-7)"),
)

test_sparse = rows(
    Row(f"{T}(torch.eye(3).to_sparse(), torch.eye(3).to_sparse())"),
    Row(f"{T}(torch.eye(3).to_sparse(), torch.eye(3).to_sparse() * 2)"),
    Row(f"{T}(torch.eye(3).to_sparse(), torch.zeros(3, 3).to_sparse())"),
    Row(f"{T}(torch.eye(3).to_sparse(), torch.eye(3).flip(0).to_sparse())"),
    Row(f"{T}(torch.eye(3).to_sparse(), torch.eye(3))"),
    Row(f"{T}(torch.eye(3).to_sparse(), torch.eye(3), check_layout=False)"),
    Row(f"{T}(torch.eye(3).to_sparse_csr(), torch.eye(3).flip(0).to_sparse_csr())"),
    Row(f"{T}(torch.eye(3).to_sparse_csr(), torch.eye(3).to_sparse_csr() * 2)"),
)

M = "torch.testing.make_tensor"
test_make_tensor = rows(
    Row(f"{M}(3, 2, dtype=torch.float32, device='cpu')", exact=True),
    Row(f"{M}((3,), dtype=torch.int64, device='cpu')", exact=True),
    Row(f"{M}((3,), dtype=torch.bool, device='cpu')", exact=True),
    Row(f"{M}((3,), dtype=torch.complex64, device='cpu')", exact=True),
    Row(f"{M}((3,), dtype=torch.bfloat16, device='cpu', low=0, high=1)", exact=True),
    Row(f"{M}((5,), dtype=torch.uint8, device='cpu', low=0, high=2, exclude_zero=True)", exact=True),
    Row(f"{M}((2, 3), dtype=torch.float32, device='cpu', noncontiguous=True)", strides=True),
    Row(f"{M}(2, dtype=torch.float32, device='cpu', requires_grad=True).requires_grad"),
    Row(f"{M}(2, dtype=torch.float32, device='cpu', low=2, high=1)"),
    Row(f"{M}(2, dtype=torch.float32, device='cpu', low=float('nan'))"),
    Row(f"{M}((2,), dtype=torch.float32, device='cpu', noncontiguous=True, memory_format=torch.channels_last)"),
    Row(f"{M}((2,), dtype=torch.int32, device='cpu', requires_grad=True)"),
    Row(f"{M}((2,), dtype=torch.uint8, device='cpu', low=-1000, high=-500)"),
)
