"""Outputs of a model and of its original, whose differences are known or computed by OpenCV."""

import io
import tracemalloc
import zipfile

import chainer
import numpy as np
import pytest
from chainer import links as L

import converters
from chainer_seg.errors import UserError, WeightFileError
from converters.comparison import (
    compare_outputs, compare_recorded, compare_with_opencv, layer_outputs)


class Net(chainer.Chain):
    """Two convolutions, of which the second is called on the output of the first."""

    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.first, self.second = L.Convolution2D(3, 4, 3), L.Convolution2D(4, 2, 1)

    def forward(self, x):
        return self.second(self.first(x))


@pytest.fixture
def net():
    return Net()


@pytest.fixture
def x(rng):
    return rng.standard_normal((2, 3, 6, 5)).astype(np.float32)


def test_outputs_of_all_links_are_there(net, x):
    found = layer_outputs(net, x)
    assert found.keys() == {'/first', '/second', 'output'}
    first = net.first(x)
    np.testing.assert_array_equal(found['/first'], first.array)
    np.testing.assert_array_equal(found['output'], net.second(first).array)


def test_several_outputs_are_numbered(net, x):
    class Pair(Net):
        def forward(self, x):
            return self.first(x), super().forward(x)

    pair = Pair()
    found = layer_outputs(pair, x)
    np.testing.assert_array_equal(found['output0'], pair.first(x).array)
    np.testing.assert_array_equal(found['output1'], found['/second'])


def test_the_difference_is_absolute_and_relative(net, x):
    theirs = net.first(x).array
    peak = float(abs(theirs).max())
    changed = theirs.copy()
    changed[1, 2, 3, 0] += 0.25
    [found] = compare_outputs(net, x, {'/first': changed})
    assert found.name == '/first' and found.shape == theirs.shape
    assert found.largest == pytest.approx(0.25, rel=1e-4)
    assert found.relative == pytest.approx(0.25 / max(peak, abs(changed).max()), rel=1e-4)


def test_axes_of_length_one_are_no_difference(net, rng):
    x = rng.standard_normal((1, 3, 3, 3)).astype(np.float32)
    flat = net(x).array.reshape(1, 2)
    assert compare_outputs(net, x, {'output': flat})[0].largest == 0


@pytest.mark.parametrize('recorded, problem', [
    ({'/third': np.zeros(3)}, 'no output /third; it has output and the paths of its links'),
    ({'output': np.zeros((2, 2, 4, 4))}, r'output has the shape \(2, 2, 4, 3\), but the recorded one')])
def test_models_that_cannot_be_compared_are_reported(net, x, recorded, problem):
    with pytest.raises(UserError, match=problem):
        compare_outputs(net, x, recorded)


def test_a_file_of_recorded_outputs_needs_an_input(net, x, tmp_path):
    np.savez(tmp_path / 'a.npz', input=x, output=net(x).array)
    assert compare_recorded(net, tmp_path / 'a.npz')[0].largest == 0
    np.savez(tmp_path / 'b.npz', output=x)
    with pytest.raises(UserError, match='no array named input'):
        compare_recorded(net, tmp_path / 'b.npz')
    (tmp_path / 'c.npz').write_text('no arrays')
    with pytest.raises(UserError, match='is not a .npz file'):
        compare_recorded(net, tmp_path / 'c.npz')


@pytest.fixture(scope='module')
def genuine(shared_data):
    return shared_data / 'formats' / 'caffe' / 'resnet50_b4.caffemodel'


def test_opencv_computes_the_same_from_the_file_at_every_layer(genuine):
    conversion = converters.conversion(genuine)
    found = compare_with_opencv(conversion, genuine, genuine.with_suffix('.prototxt'))
    # 53 normalisations, and all convolutions but the first, whose bias is part of its normalisation.
    assert len(found) == 53 + 52 + 1
    assert all(each.relative < 1e-4 for each in found)


def test_a_changed_weight_is_seen_from_its_layer_on(genuine):
    conversion = converters.conversion(genuine)
    conversion.model.resnet.res4[0].middle.conv.W.array[0] *= 1.5
    found = compare_with_opencv(conversion, genuine, genuine.with_suffix('.prototxt'))
    far = [each.relative > 1e-3 for each in found]
    first = [each.name for each in found].index('/resnet/res4/0/middle/conv')
    assert not any(far[:first]) and far[first]


def test_the_requirements_of_opencv_are_reported(genuine, tmp_path):
    conversion = converters.conversion(genuine)
    with pytest.raises(WeightFileError, match='OpenCV needs a .prototxt and a .caffemodel'):
        compare_with_opencv(conversion, genuine, tmp_path / 'none.prototxt', np.zeros((1, 3, 9, 9)))
    (tmp_path / 'other.prototxt').write_text('name: "a" input: "data" layer { name: "b" type: "Odd" }')
    with pytest.raises(WeightFileError, match='OpenCV cannot compute'):
        compare_with_opencv(conversion, genuine, tmp_path / 'other.prototxt', np.zeros((1, 3, 9, 9)))


def npz(path, **arrays):
    np.savez_compressed(path, **arrays)
    return path


@pytest.mark.parametrize('arrays, problem', [
    ({'input': np.array([1, 'x'], object)}, 'it contains object where plain numbers are expected'),
    ({'input': np.zeros((1, 3, 9, 9), complex)}, 'it contains complex128 where'),
    ({'input': np.zeros((1, 3, 9, 9), bool)}, "array 'input' of the type bool, expected numbers"),
    ({'input': np.array(['a'])}, 'it contains <U1 where'),
    ({'input': np.zeros(3)}, r'an input of the shape'),
    ({'input': np.zeros((0, 3, 9, 9))}, 'an input of the shape'),
    ({'input': np.full((1, 3, 9, 9), np.nan)}, 'has NaN or infinite values'),
    ({'input': np.zeros((1, 3, 9, 9)), 'output': np.array(np.inf)}, "in the array 'output'"),
    ({'input': np.zeros((1, 2, 9, 9))}, r'an input of the shape \(1, 2, 9, 9\); record an input'),
    ({'input': np.zeros((1, 3, 1, 1))}, r'an input of the shape \(1, 3, 1, 1\)'),
    ({'input': np.zeros((1, 3, 4000, 4000), np.uint8)}, 'at most 33554432 numbers')])
def test_unusable_recorded_arrays_are_reported(net, tmp_path, arrays, problem):
    with pytest.raises(UserError, match=problem) as caught:
        compare_recorded(net, npz(tmp_path / 'a.npz', **arrays))
    assert len(str(caught.value)) < 400


def test_recorded_arrays_are_refused_before_they_take_memory(net, tmp_path):
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 40000, 40000), }\n"
    array = b'\x93NUMPY\1\0' + len(header).to_bytes(2, 'little') + header
    with zipfile.ZipFile(tmp_path / 'a.npz', 'w') as archive:
        archive.writestr('input.npy', array)
    tracemalloc.start()
    with pytest.raises(UserError, match='has another size than its header says'):
        compare_recorded(net, tmp_path / 'a.npz')
    assert tracemalloc.get_traced_memory()[1] < 10 << 20
    tracemalloc.stop()


def test_damaged_recordings_give_a_comparison_or_the_error(net, x, tmp_path, rng):
    data = npz(tmp_path / 'a.npz', input=x, output=net(x).array).read_bytes()
    plain = io.BytesIO()
    np.savez(plain, input=x, output=net(x).array)
    outcomes = set()
    for intact in (data, plain.getvalue()):
        for size in rng.integers(0, len(intact), 30):
            outcomes.add(outcome(net, tmp_path / 'cut.npz', intact[:size]))
        for _ in range(300):
            changed = bytearray(intact)
            for at in rng.integers(0, len(changed), 3):
                changed[at] = rng.integers(256)
            outcomes.add(outcome(net, tmp_path / 'changed.npz', bytes(changed)))
    assert 'error' in outcomes


def test_headers_of_recordings_may_be_anything(net, tmp_path, rng):
    """The checksums are right, so that the headers are read."""
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 2, 2), }"
    for _ in range(400):
        changed = bytearray(header)
        for at in rng.integers(0, len(changed), 2):
            changed[at] = rng.choice(list(b"()[]{}'\"\\\0\xff9,:-fOV"))
        with zipfile.ZipFile(tmp_path / 'a.npz', 'w') as archive:
            archive.writestr('input.npy', b'\x93NUMPY\1\0' + len(changed).to_bytes(2, 'little')
                             + bytes(changed) + bytes(48))
        outcome(net, tmp_path / 'b.npz', (tmp_path / 'a.npz').read_bytes())


def outcome(net, path, data):
    path.write_bytes(data)
    try:
        compare_recorded(net, path)
        return 'comparison'
    except UserError as error:
        assert '\n' not in str(error)
        return 'error'
