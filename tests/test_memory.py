"""Memory is reused from step to step, but never while somebody still looks at it."""

import numpy as np

import flambeau


def test_what_others_hold_outlives_a_thousand_steps():
    """Arrays, exports, views and what the graph saved."""
    flambeau.manual_seed(0)
    model = flambeau.nn.Sequential(flambeau.nn.Linear(40, 64), flambeau.nn.GELU(), flambeau.nn.Dropout(0.1), flambeau.nn.Linear(64, 40))
    optimizer = flambeau.optim.AdamW(model.parameters(), lr=1e-3)
    x = flambeau.randn(32, 40)
    held = []
    for step in range(1000):
        hidden = model[0](x)
        loss = ((model[3](model[2](model[1](hidden))) - x) ** 2).mean()
        if step == 5:
            detached = hidden.detach()
            activation = flambeau.tanh(hidden)  # its node saves the result, and is asked for it at the end
            kept = [
                (hidden * 2).detach().numpy(),
                np.from_dlpack((hidden * 3).detach()),
                (hidden * 4).detach()[3:7].numpy(),
                detached.numpy(),
            ]
            held = [(array, array.copy()) for array in kept]
            view = (hidden * 5).detach()[:, 1]
            seen = view.clone()
            wanted = (1 - flambeau.tanh(hidden).detach() ** 2).clone()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for array, copy in held:
        np.testing.assert_array_equal(array, copy)
    assert flambeau.equal(view, seen)
    leaf = flambeau.autograd.grad(activation.sum(), hidden_of(activation))[0]
    flambeau.testing.assert_close(leaf, wanted, rtol=1e-5, atol=1e-6)


def hidden_of(activation):
    """The graph behind a tanh, as something that a gradient can be asked for."""
    return flambeau.autograd.graph.get_gradient_edge(activation)._replace(node=activation.grad_fn.next_functions[0][0])
