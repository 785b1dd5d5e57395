import chainer
import numpy as np

from chainer_seg.links import FrozenAffine


def test_each_channel_is_scaled_and_shifted(rng):
    link = FrozenAffine(3)
    link.scale[:], link.shift[:] = [1, 2, -3], [0.5, 0, 4]
    x = rng.normal(size=(2, 3, 4, 5)).astype(np.float32)
    expected = np.stack([x[:, 0] + 0.5, 2 * x[:, 1], -3 * x[:, 2] + 4], axis=1)
    np.testing.assert_allclose(link(x).array, expected, rtol=1e-6)


def test_scale_and_shift_are_saved_but_not_trained():
    link = FrozenAffine(2)
    assert list(link.params()) == []
    saved = chainer.serializers.DictionarySerializer()
    saved.save(link)
    assert set(saved.target) == {'scale', 'shift'}


def test_the_gradient_of_the_input_is_scaled(rng):
    link = FrozenAffine(2)
    link.scale[:] = [2, 5]
    x = chainer.Variable(rng.normal(size=(1, 2, 1, 1)).astype(np.float32))
    y = link(x)
    y.grad = np.ones_like(y.array)
    y.backward()
    assert x.grad.ravel().tolist() == [2, 5]
