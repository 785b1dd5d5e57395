"""What tests look at in a network: all of its arrays by name."""

import chainer
import numpy as np


def arrays_of(link):
    """Copies of the parameters and running statistics, by their paths."""
    serializer = chainer.serializers.DictionarySerializer()
    serializer.save(link)
    return {name: np.array(value) for name, value in serializer.target.items() if value is not None}
