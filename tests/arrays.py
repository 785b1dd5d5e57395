"""What tests look at in a network: all of its arrays by name, and whether two networks have the same."""

import chainer
import numpy as np


def arrays_of(link):
    """Copies of the parameters and running statistics, by their paths."""
    serializer = chainer.serializers.DictionarySerializer()
    serializer.save(link)
    return {name: np.array(value) for name, value in serializer.target.items() if value is not None}


def assert_same_parameters(found, expected):
    """Two networks have the same parameters, bit by bit."""
    expected = dict(expected.namedparams())
    found = dict(found.namedparams())
    assert found.keys() == expected.keys()
    for path, parameter in found.items():
        np.testing.assert_array_equal(parameter.array, expected[path].array, err_msg=path)
