"""Samplers, beside PyTorch: the indices, the errors, and how many random numbers they draw."""

import flambeau.utils.data  # noqa: F401
from harness import Row, rows

DATA = "D = torch.utils.data; "
G = DATA + "g = torch.Generator().manual_seed(3); "

test_sequential = rows(
    Row(DATA + "s = D.SequentialSampler('abc'); (len(s), list(s))"),
    Row(DATA + "s = D.SequentialSampler(3); list(s)"),
    Row(DATA + "list(D.Sampler())"),
    Row(DATA + "len(D.Sampler())"),
)

test_random = rows(
    Row(DATA + "s = D.RandomSampler(range(10)); (len(s), list(s), list(s))"),
    Row(DATA + "list(D.RandomSampler(range(1)))"),
    Row(DATA + "s = D.RandomSampler(range(10), num_samples=25); (len(s), list(s))"),
    Row(DATA + "list(D.RandomSampler(range(10), num_samples=4))"),
    Row(DATA + "list(D.RandomSampler(range(10), replacement=True))"),
    Row(DATA + "list(D.RandomSampler(range(10), True, 70))"),
    Row(DATA + "list(D.RandomSampler(range(1 << 30), True, 40))"),
    Row(G + "s = D.RandomSampler(range(10), generator=g); (list(s), list(s), torch.rand(1, generator=g), torch.rand(1))"),
    Row(G + "list(D.RandomSampler(range(10), True, 64, g)), torch.rand(1, generator=g)"),
    Row(G + "list(D.RandomSampler(range(10), num_samples=25, generator=g)), torch.rand(1, generator=g)"),
    Row(DATA + "list(D.RandomSampler(range(10))), torch.rand(1)", name="words drawn from the default generator"),
    Row(DATA + "D.RandomSampler([])"),
    Row(DATA + "D.RandomSampler(3)"),
    Row(DATA + "D.RandomSampler('abc', replacement=1)"),
    Row(DATA + "D.RandomSampler('abc', num_samples=0)"),
    Row(DATA + "D.RandomSampler('abc', num_samples=1.5)"),
    Row(DATA + "a = [1, 2]; s = D.RandomSampler(a); a.append(3); (s.num_samples, len(list(s)))"),
)

test_subset = rows(
    Row(DATA + "s = D.SubsetRandomSampler([5, 3, 9, 1]); (len(s), list(s), list(s), torch.rand(1))"),
    Row(G + "list(D.SubsetRandomSampler('abcd', g)), torch.rand(1, generator=g)"),
    Row(DATA + "list(D.SubsetRandomSampler([]))"),
)

W = "w = [0.1, 0.9, 0.4, 0.7, 3.0, 0.6]; "

test_weighted = rows(
    Row(DATA + W + "s = D.WeightedRandomSampler(w, 20); (len(s), list(s), s.weights)"),
    Row(DATA + W + "list(D.WeightedRandomSampler(w, 5, replacement=False))"),
    Row(G + W + "list(D.WeightedRandomSampler(torch.tensor(w), 5, generator=g)), torch.rand(1, generator=g)"),
    Row(DATA + W + "D.WeightedRandomSampler(w, 0)"),
    Row(DATA + W + "D.WeightedRandomSampler(w, True)"),
    Row(DATA + W + "D.WeightedRandomSampler(w, 2.0)"),
    Row(DATA + W + "D.WeightedRandomSampler([w], 2)"),
    Row(DATA + W + "D.WeightedRandomSampler(w, 2, replacement=1)"),
    Row(DATA + W + "list(D.WeightedRandomSampler(w, 7, False))"),
    Row(DATA + "list(D.WeightedRandomSampler([-1.0, 2.0], 7))"),
)

test_batches = rows(
    Row(DATA + "b = D.BatchSampler(range(10), 3, False); (len(b), list(b))"),
    Row(DATA + "b = D.BatchSampler(range(10), 3, True); (len(b), list(b))"),
    Row(DATA + "list(D.BatchSampler('abcd', 2, True))"),
    Row(DATA + "list(D.BatchSampler([], 2, False))"),
    Row(DATA + "b = D.BatchSampler(iter(range(3)), 2, False); (list(b), len(b))"),
    Row(DATA + "D.BatchSampler(range(3), 0, False)"),
    Row(DATA + "D.BatchSampler(range(3), True, False)"),
    Row(DATA + "D.BatchSampler(range(3), 1.0, False)"),
    Row(DATA + "D.BatchSampler(range(3), 2, 0)"),
)

test_distributed = rows(
    Row(DATA + "[list(D.DistributedSampler(range(10), 3, r)) for r in range(3)]"),
    Row(DATA + "[list(D.DistributedSampler(range(10), 3, r, shuffle=False)) for r in range(3)]"),
    Row(DATA + "[list(D.DistributedSampler(range(10), 4, r, drop_last=True)) for r in range(4)]"),
    Row(DATA + "[list(D.DistributedSampler(range(2), 5, r, shuffle=False)) for r in range(5)]"),
    Row(DATA + "[len(D.DistributedSampler(range(n), 3, 0, drop_last=d)) for n in range(8) for d in (True, False)]"),
    Row(DATA + "s = D.DistributedSampler(range(10), 2, 1, seed=4); a = list(s); s.set_epoch(2); (a, list(s), s.epoch, torch.rand(1))"),
    Row(DATA + "D.DistributedSampler(range(10), 2, 2)"),
    Row(DATA + "D.DistributedSampler(range(10))"),
)
