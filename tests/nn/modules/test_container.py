"""Sequential, ModuleList, ModuleDict, ParameterList, ParameterDict."""

from collections import OrderedDict

from harness import Row, parity, rows

MODULES = """
class A(nn.Module):
    def forward(self, x): return x + 1
class B(nn.Module):
    def extra_repr(self): return 'b\\nc'
    def forward(self, x): return x * 2
s = nn.Sequential(A(), B(), A()); l = nn.ModuleList([A(), A(), B()]); d = nn.ModuleDict({'x': A(), 'y': B()})
"""
PARAMETERS = """
p = nn.ParameterList([torch.ones(2), nn.Parameter(torch.zeros(2, 3, dtype=torch.float64)), 'text', torch.tensor(1.0)])
d = nn.ParameterDict({'b': torch.ones(2), 'a': nn.Parameter(torch.zeros(2, 3)), 'c': 3})
"""


def each(setup, *expressions):
    return [Row(setup + expression, name=expression) for expression in expressions]


test_modules = rows(
    *each(
        MODULES,
        "repr(s)",
        "repr(l)",
        "repr(d)",
        "repr(nn.Sequential())",
        "repr(nn.ModuleList())",
        "repr(nn.ModuleDict())",
        "repr(nn.ModuleList([nn.Sequential(A(), B()), nn.Sequential(A(), B()), A()]))",
        "repr(nn.ModuleList([nn.ModuleList([B(), B()]) for _ in range(2)]))",
        "s(torch.ones(1))",
        "l(torch.ones(1))",
        "d(torch.ones(1))",
        "len(s), len(l), len(d)",
        "s[0] is s[-3], l[0] is l[-3], d['x'] is list(d.values())[0]",
        "s[3]",
        "s[-4]",
        "s['0']",
        "s[1.5]",
        "l[3]",
        "l[-4]",
        "l['0']",
        "d['z']",
        "repr(s[1:]), repr(s[::-1]), repr(s[:0])",
        "repr(l[1:]), repr(l[::2])",
        "s[0] = B(); repr(s)",
        "s[7] = B(); 0",
        "s[0] = 3; 0",
        "l[-1] = A(); repr(l)",
        "l[0] = None; repr(l)",
        "del s[0]; repr(s), list(s._modules)",
        "del s[:2]; repr(s), list(s._modules)",
        "del l[1]; repr(l), list(l._modules)",
        "del l[::2]; repr(l), list(l._modules)",
        "del d['x']; repr(d)",
        "del d['z']; 0",
        "repr(s + s), repr(s * 2), repr(2 * s)",
        "s += s; repr(s)",
        "s *= 3; repr(s)",
        "s + [A()]",
        "s * 0",
        "s * 1.5",
        "s += 3; 0",
        "repr(s.append(B())), len(s)",
        "repr(s.extend([A(), B()])), s.extend(s[:1]) is s",
        "repr(s.insert(1, B())), repr(s.insert(-1, A())), repr(s.insert(5, A()))",
        "s.insert(9, A())",
        "s.insert(0, 3)",
        "s.append(3)",
        "repr(s.pop(0)), repr(s)",
        "repr(s.pop(slice(0, 2))), repr(s)",
        "s.pop(5)",
        "l += [A()]; repr(l + [B()]), repr(l)",
        "repr(l.append(A())), repr(l.extend(m for m in [B()])), l.insert(0, B()), repr(l)",
        "l.extend(3)",
        "l.append(3)",
        "repr(l.pop(-1)), repr(l)",
        "list(d), list(d.keys()), len(d.items()), 'x' in d, 'z' in d",
        "d.update({'x': B(), 'z': A()}); repr(d)",
        "d.update([('q', A()), ['r', B()]]); repr(d)",
        "d.update(nn.ModuleDict({'s': A()})); list(d)",
        "d.update(3)",
        "d.update([3])",
        "d.update([(1, 2, 3)])",
        "d['forward'] = A(); 0",
        "d[3] = A(); 0",
        "d['k'] = 3; 0",
        "repr(d.pop('x')), repr(d)",
        "d.pop('z')",
        "d.clear(); repr(d), len(d)",
        "list(nn.Sequential(A(), nn.ModuleList([B()])).state_dict()), [n for n, _ in l.named_modules()]",
        "[name for name in dir(s) if name.isdigit()], [m is n for m, n in zip(s, s._modules.values())]",
        "from collections import OrderedDict; repr(nn.Sequential(OrderedDict(first=A(), second=B())))",
        "from collections import OrderedDict; s = nn.Sequential(OrderedDict(first=A(), second=B())); repr(s[1:]), repr(s.pop(0)), repr(s)",
        "nn.Sequential(3)",
        "nn.Sequential({'a': A()})",
        "nn.ModuleList(3)",
        "nn.ModuleList([3])",
    )
)

test_parameters = rows(
    *each(
        PARAMETERS,
        "repr(p)",
        "repr(d)",
        "repr(nn.ParameterList()), repr(nn.ParameterDict())",
        "len(p), len(d)",
        "p[0], p[-1], p[2], type(p[0]).__name__",
        "p[9]",
        "p['x']",
        "p[1:3][0], len(p[::2]), type(p[:1]).__name__",
        "p[0] = torch.zeros(1); p[0], [n for n, _ in p.named_parameters()]",
        "p[0] = 3; 0",
        "p[2] = torch.zeros(1); [n for n, _ in p.named_parameters()]",
        "p.append(torch.ones(1)).extend([torch.zeros(1)]); len(p)",
        "p += [torch.ones(1)]; len(p), [type(x).__name__ for x in p]",
        "p.extend(torch.ones(2))",
        "p.extend(3)",
        "p(1)",
        "d(1)",
        "list(p.state_dict()), list(d.state_dict()), list(d)",
        "d['a'], d['c'], 'a' in d, 'z' in d",
        "d['z']",
        "d[3]",
        "d[3] = 1; 0",
        "d['new'] = torch.ones(1); type(d['new']).__name__, list(d)",
        "del d['a']; list(d), list(d.state_dict())",
        "del d['z']; 0",
        "d.pop('a'), d.popitem(), list(d)",
        "d.pop('z')",
        "nn.ParameterDict().popitem()",
        "d.get('a'), d.get('z'), d.get('z', 5), d.setdefault('q', torch.ones(1)), d.setdefault('a')",
        "list(d.keys()), list(d.items()), list(d.values()), list(reversed(d))",
        "list((d | nn.ParameterDict({'q': torch.ones(1)}))), list(d.copy()), d.copy()['a'] is d['a']",
        "d |= nn.ParameterDict({'q': torch.ones(1)}); list(d)",
        "d.update({'q': torch.ones(1), 'm': torch.ones(1)}); list(d)",
        "from collections import OrderedDict; list(nn.ParameterDict(OrderedDict(q=torch.ones(1), m=torch.ones(1))))",
        "d.update([('q', torch.ones(1)), ['m', 3]]); list(d)",
        "d.update(3)",
        "d.update([3])",
        "d.update([(1, 2, 3)])",
        "list(d.fromkeys(['u', 'v'], 1).items())",
        "d.clear(); len(d), list(d.state_dict())",
        "[name for name in dir(p) if name.isdigit()], list(p.__dict__), list(d.__dict__)",
    )
)


@parity(warns=True)
def test_container(torch):
    """The deprecated container."""
    return repr(torch.nn.Container(a=torch.nn.Module()))


@parity
def test_subclasses_stay(torch):
    """Slices of subclasses are of the subclass."""
    nn = torch.nn

    class List(nn.ModuleList):
        pass

    class Chain(nn.Sequential):
        pass

    return [type(List([nn.Module()])[:1]).__name__, type(Chain(nn.Module())[:1]).__name__, repr(Chain(OrderedDict(a=nn.Module())))]
