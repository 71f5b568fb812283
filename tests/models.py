"""Small modules that tests are tried on, made of whatever library plays `torch`."""


def layer(torch, n=2, m=3):
    """A small linear layer, by hand."""
    nn = torch.nn

    class Layer(nn.Module):
        def __init__(self, n=n, m=m):
            super().__init__()
            self.weight = nn.Parameter(torch.arange(float(n * m)).reshape(m, n))
            self.bias = nn.Parameter(torch.zeros(m))
            self.register_buffer("mean", torch.ones(m))
            self.register_buffer("scratch", torch.zeros(1), persistent=False)

        def forward(self, x):
            return x @ self.weight.t() + self.bias

        def extra_repr(self):
            return f"n={self.weight.shape[1]}, m={self.weight.shape[0]}"

    return Layer()


def net(torch):
    """Two layers and a shared one, in a tree."""
    nn = torch.nn

    class Inner(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = layer(torch)
            self.nothing = None
            self.second = layer(torch)
            self.again = self.first
            self.register_parameter("absent", None)
            self.add_module("empty", None)

        def forward(self, x):
            return self.first(x)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(2.0))
            self.inner = Inner()
            self.act = nn.Module()

        def forward(self, x):
            return self.inner(x) * self.scale

    return Net()


def error(action):
    """The exception an action raises, or None."""
    try:
        action()
    except Exception as raised:
        return raised
    return None
