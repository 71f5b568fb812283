"""Expressions over `torch.distributions`, evaluated for flambeau and for PyTorch alike; errors and warnings are answers, too."""

import math
import warnings


def attempt(call):
    """What the call returns; or its error, in words; after it the warnings, if there are any."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = call()
        except Exception as error:
            result = f"{type(error).__name__}: {error}"
    told = [f"{w.category.__name__}: {w.message}" for w in caught]
    return [result, told] if told else result


def evaluate(torch, expression, **names):
    torch.distributions.Distribution.set_default_validate_args(True)  # whoever imports PyTorch's compiler switches it off
    return eval(expression, {"torch": torch, "D": torch.distributions, "math": math, **names})
