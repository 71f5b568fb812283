"""Packed and padded sequences."""

import copy
import pickle

from harness import Row, parity, randn, rows

NAMES = "pack_padded_sequence pad_packed_sequence pad_sequence unpad_sequence pack_sequence unpack_sequence invert_permutation"


def each(*expressions, grad=True):
    setup = "u = torch.nn.utils.rnn; PackedSequence = u.PackedSequence; " + "".join(f"{name} = u.{name}; " for name in NAMES.split())
    return [Row(setup + expression, name=expression, x=randn(4, 3), y=randn(4, 3, 2), grad=grad) for expression in expressions]


test_packing = rows(
    *each(
        "pack_padded_sequence(x, [4, 2, 1])",
        "pack_padded_sequence(y, torch.tensor([4, 2, 1]))",
        "pack_padded_sequence(y, [3, 3, 2, 1], batch_first=True)",
        "pack_padded_sequence(x, [2, 4, 1], enforce_sorted=False)",
        "pack_padded_sequence(y, [1, 3, 2, 1], batch_first=True, enforce_sorted=False)",
        "pack_padded_sequence(x, torch.tensor([4.0, 2.0, 1.0]))",
        "pad_packed_sequence(pack_padded_sequence(x, [4, 2, 1]))",
        "pad_packed_sequence(pack_padded_sequence(y, [4, 2, 1]), batch_first=True, padding_value=-1)",
        "pad_packed_sequence(pack_padded_sequence(y, [2, 3, 1], enforce_sorted=False), total_length=5)",
        "pad_packed_sequence(pack_padded_sequence(y, [1, 3, 2, 2], True, False), True)",
        "pad_sequence([x, x[:2], x[:0]])",
        "pad_sequence([x[:1], x], batch_first=True, padding_value=7.5)",
        "pad_sequence([x[:1], x], padding_side='left'), pad_sequence([x[:1], x], True, 0.0, 'left')",
        "pad_sequence([y[0], y[1, :1]]), pad_sequence(x), pad_sequence((s for s in x))",
        "unpad_sequence(pad_sequence([x, x[:2]], batch_first=True), torch.tensor([4, 2]), batch_first=True)",
        "pack_sequence([x, x[:2], x[:1]])",
        "pack_sequence([x[:2], x, x[:1]], enforce_sorted=False)",
        "unpack_sequence(pack_sequence([x[:2], x, x[:1]], enforce_sorted=False))",
    )
)

test_plain = rows(
    *each(
        "pack_padded_sequence(x, [5, 2, 1])",
        "pack_padded_sequence(x, [4, 2])",
        "pack_padded_sequence(x, [1, 2, 3])",
        "pack_padded_sequence(x, [3, 2, 0])",
        "pack_padded_sequence(x, [0, 2, 1], enforce_sorted=False)",
        "pack_padded_sequence(x, [])",
        "pack_padded_sequence(x, [[4, 2, 1]])",
        "pack_padded_sequence(x[:0], [1, 1, 1])",
        "pack_padded_sequence(x[0], [1, 1, 1])",
        "pack_sequence([x[:1], x])",
        "pad_packed_sequence(pack_padded_sequence(x, [4, 2, 1]), total_length=2)",
        "pad_sequence([])",
        "pad_sequence(3)",
        "pad_sequence([x, 3])",
        "pad_sequence([x, y])",
        "pad_sequence([x, x[:, :2]])",
        "pad_sequence([x, x[:, :1]])",
        "pad_sequence([x], padding_side='middle')",
        "pad_sequence([torch.tensor(1.0)])",
        "pad_sequence([torch.tensor([1, 2]), torch.tensor([3], dtype=torch.int32)], padding_value=1.5)",
        "pad_sequence([torch.ones(2), torch.tensor([3])])",
        "unpad_sequence(x.clone(), torch.tensor([4, 2, 1]))",
        "unpad_sequence(x, torch.tensor([4, 2, 1]), batch_first=True)",
        "invert_permutation(torch.tensor([2, 0, 1])), invert_permutation(None)",
        "PackedSequence(torch.ones(2))",
        "PackedSequence((torch.ones(2), torch.tensor([2])))",
        "PackedSequence(torch.ones(2), torch.tensor([1, 1]), torch.tensor([0]))",
        "repr(pack_sequence([torch.ones(2), torch.zeros(3)], False))",
        "p = pack_padded_sequence(x, [4, 2, 1]); p.to('cpu') is p, p.cpu() is p, p.float() is p, p.is_cuda, p.is_pinned()",
        "p = pack_padded_sequence(x, [2, 1, 4], enforce_sorted=False); p.double(), p.half(), p.to(torch.float64)",
        "p = pack_sequence([torch.tensor([1, 2])]); p.long(), p.int(), p.short(), p.char(), p.byte()",
        "pack_sequence([torch.tensor([1, 2])]).cuda()",
        "p = pack_sequence([torch.ones(2)]); p._fields, len(p), isinstance(p, tuple), p[0], p._replace(data=torch.zeros(2))",
        "PackedSequence, [c.__name__ for c in PackedSequence.__mro__]",
        grad=False,
    )
)


@parity
def test_copies(torch):
    """A packed sequence pickles and copies."""
    p = torch.nn.utils.rnn.pack_sequence([torch.ones(2), torch.zeros(3)], enforce_sorted=False)
    twins = [copy.deepcopy(p), pickle.loads(pickle.dumps(p)), copy.copy(p)]
    return [[type(twin).__name__, twin] for twin in twins]


@parity
def test_unpad_transposes_its_argument(torch):
    """Without batch_first, as in PyTorch."""
    x = torch.arange(6).reshape(3, 2)
    return torch.nn.utils.rnn.unpad_sequence(x, torch.tensor([3, 1])), x
