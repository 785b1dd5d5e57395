"""Heads of Caffe's networks under any name, or none: they are found by what they read."""

import numpy as np
import pytest
from chainer.links.caffe.protobuf3 import caffe_pb2

import converters
from chainer_seg.errors import WeightFileError
from chainer_seg.links import copy_resnet
from chainer_seg.models.classifier import ResNetClassifier
from chainer_seg.models.deeplab import DeepLab


pytestmark = pytest.mark.usefixtures('evaluating')


@pytest.fixture
def changed(genuine, tmp_path):
    """Writes a genuine network that a function has changed, and returns its path."""
    def write(name, change):
        network = caffe_pb2.NetParameter.FromString((genuine / f'{name}.caffemodel').read_bytes())
        change(network)
        path = tmp_path / 'changed.caffemodel'
        path.write_bytes(network.SerializeToString())
        return path
    return write


def renamed(new, old='fc1_voc12'):
    """Gives the layers of a head other names, and their outputs, too."""
    def change(network):
        for layer in network.layer:
            layer.name = layer.name.replace(old, new)
            for field in (layer.bottom, layer.top):
                field[:] = [name.replace(old, new) for name in field]
    return change


def without(*prefixes):
    def change(network):
        kept = [layer for layer in network.layer if not layer.name.startswith(prefixes)]
        del network.layer[:]
        network.layer.extend(kept)
    return change


def assert_same(ours, theirs):
    arrays = dict(theirs.namedparams())
    for path, parameter in ours.namedparams():
        np.testing.assert_array_equal(parameter.array, arrays[path].array, err_msg=path)


@pytest.mark.parametrize('name', ['fc1_human-parts', 'score_mine', 'fc8', 'logits/my data'])
def test_a_deeplab_head_may_have_any_name(genuine, changed, name):
    ours = converters.convert(changed('deeplab_r101_b2_double', renamed(name)))
    theirs = converters.convert(genuine / 'deeplab_r101_b2_double.caffemodel')
    assert ours.config == theirs.config and isinstance(ours, DeepLab)
    assert_same(ours, theirs)


def test_a_deeplab_without_its_head_is_a_resnet_to_start_from(genuine, changed, rng):
    trunk = converters.convert(changed('deeplab_r101_b2_double', without('fc1_')))
    assert isinstance(trunk, ResNetClassifier) and trunk.config['n_class'] is None
    assert trunk.config['dilations'] == (1, 1, 2, 4) and trunk.config['strides'] == (1, 2, 1, 1)
    whole = converters.convert(genuine / 'deeplab_r101_b2_double.caffemodel')
    target = DeepLab(5, width=2, seed=3)
    copy_resnet(trunk.resnet, target.resnet)
    x = rng.normal(0, 50, (1, 3, 65, 65)).astype(np.float32)
    for ours, theirs in ((trunk.resnet, whole.resnet), (target.resnet, whole.resnet)):
        np.testing.assert_array_equal(ours(x)[-1].array, theirs(x)[-1].array)


@pytest.mark.parametrize('name', ['fc_mine', 'classifier', 'fc1000_new'])
def test_the_layer_of_logits_may_have_any_name_and_size(genuine, changed, name):
    def change(network):
        renamed(name, 'fc1000')(network)
        layer = next(layer for layer in network.layer if layer.name == name)
        weight, bias = (np.float32(blob.data) for blob in layer.blobs)
        for blob, array in zip(layer.blobs, (weight.reshape(1000, -1)[:7], bias[:7])):
            blob.data[:] = array.ravel()
            blob.shape.dim[:] = array.shape
        layer.inner_product_param.num_output = 7

    ours = converters.convert(changed('resnet50_b4', change))
    theirs = converters.convert(genuine / 'resnet50_b4.caffemodel')
    np.testing.assert_array_equal(ours.logits.W.array, theirs.logits.W.array[:7])
    assert_same(ours.resnet, theirs.resnet)


def test_a_layer_of_logits_may_be_a_convolution(genuine, changed):
    def change(network):
        layer = next(layer for layer in network.layer if layer.name == 'fc1000')
        layer.type = 'Convolution'
        layer.blobs[0].shape.dim.extend([1, 1])

    assert_same(converters.convert(changed('resnet50_b4', change)),
                converters.convert(genuine / 'resnet50_b4.caffemodel'))


def test_a_classifier_without_its_head_is_a_resnet_to_start_from(genuine, changed):
    ours = converters.convert(changed('resnet50_b4', without('fc1000', 'prob')))
    assert ours.config['n_class'] is None
    assert_same(ours.resnet, converters.convert(genuine / 'resnet50_b4.caffemodel').resnet)


def second_head(network):
    layer = network.layer.add()
    layer.CopyFrom(next(layer for layer in network.layer if layer.name == 'fc1000'))
    layer.name = 'fc_other'
    layer.top[:] = ['fc_other']


def test_of_two_layers_of_logits_one_is_skipped_by_name(genuine, changed):
    path = changed('resnet50_b4', second_head)
    with pytest.raises(WeightFileError, match='layers fc1000, fc_other all read the mean'):
        converters.convert(path)
    assert_same(converters.convert(path, skip=['layers.fc_other.*']),
                converters.convert(genuine / 'resnet50_b4.caffemodel'))


def test_heads_that_are_not_summed_are_refused(changed):
    def change(network):
        total = next(layer for layer in network.layer if layer.name == 'fc1_voc12')
        del total.bottom[3:]

    with pytest.raises(WeightFileError, match='fc1_voc12_c3 read the last stage, but no layer sums all'):
        converters.convert(changed('deeplab_r101_b2_double', change))


def test_a_head_on_another_stage_has_no_place(changed):
    def change(network):
        layer = network.layer.add()
        layer.CopyFrom(next(layer for layer in network.layer if layer.name == 'fc1_voc12_c0'))
        layer.name, layer.bottom[:], layer.top[:] = 'aux', ['res4b22'], ['aux']

    with pytest.raises(WeightFileError, match='no place for: layers.aux.blobs.0, .* with --skip'):
        converters.convert(changed('deeplab_r101_b2_double', change))


def test_the_networks_of_the_reports_convert(shared_cases, genuine):
    deeplab = converters.convert(shared_cases / 'caffe-heads' / 'dl_headname.caffemodel')
    assert_same(deeplab, converters.convert(genuine / 'deeplab_r101_b2_double.caffemodel'))
    classifier = converters.convert(shared_cases / 'caffe-heads' / 'finetuned.caffemodel')
    assert classifier.config['n_class'] == 7


def test_a_definition_of_another_head_without_weights_is_reported(genuine, tmp_path):
    text = (genuine / 'deeplab_r101_b5.prototxt').read_text().replace('fc1_voc12', 'fc1_mine')
    (tmp_path / 'a.prototxt').write_text(text)
    with pytest.raises(WeightFileError, match='no convolution with weights reads the last stage'):
        converters.convert(genuine / 'deeplab_r101_b5.caffemodel', tmp_path / 'a.prototxt')
