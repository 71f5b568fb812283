"""Tensor types from before dtypes."""

from harness import Row, rows

test_types = rows(
    Row("torch.LongTensor(2, 3).shape"),
    Row("torch.LongTensor([1, 2])"),
    Row("torch.LongTensor([1.5, 2])"),
    Row("torch.FloatTensor([1, 2])"),
    Row("torch.FloatTensor(torch.ones(2))"),
    Row("torch.FloatTensor(torch.ones(2, dtype=torch.int64))"),
    Row("torch.FloatTensor(torch.Size([2, 3])).shape, torch.FloatTensor(3, device='cpu').shape, torch.FloatTensor()"),
    Row("torch.FloatTensor(3, device='cuda')"),
    Row("torch.FloatTensor('a')"),
    Row("torch.FloatTensor(2.5)"),
    Row("torch.ByteTensor([True, False])"),
    Row("[isinstance(torch.ones(2), t) for t in (torch.FloatTensor, torch.DoubleTensor)], issubclass(torch.FloatTensor, torch.Tensor)"),
    Row("repr(torch.LongTensor), torch.LongTensor.dtype, torch.LongTensor.is_cuda, str(torch.LongTensor.layout)"),
    Row("torch.ones(2).type(), [torch.ones(2).type(t) for t in (torch.int64, 'torch.DoubleTensor', torch.LongTensor)]"),
    Row("torch.ones(2).type('foo')"),
    Row("torch.ones(2).type(3)"),
    Row("torch.ones(2).type(float)"),
    Row("torch.nn.Parameter(torch.ones(2)).type(), str(torch.ones(2).layout), repr(torch.strided)"),
)
