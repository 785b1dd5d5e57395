"""The output of a function of arrays together with its gradients."""

import chainer
import chainer.functions as F


def output_and_gradients(function, arrays, *settings):
    """What ``function(*arrays, *settings)`` returns, and the gradient of each array."""
    variables = [chainer.Variable(array) for array in arrays]
    y = function(*variables, *settings)
    F.sum(y ** 2).backward()
    return [y.array] + [variable.grad for variable in variables]
