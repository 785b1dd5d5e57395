"""The ResNets of Caffe, as classifiers; what a layer does is read from its parameters."""

from chainer_seg.models.classifier import ResNetClassifier
from converters.caffe_layers import CaffeLayers, check_size, fill_resnet
from converters.formats import caffe


def recognise(tree):
    """The name of the network in a tree, None where this module does not know it."""
    layers = tree['layers']
    known = {'conv1', 'bn_conv1', 'res2a_branch2a', 'fc1000'} <= layers.keys()
    return 'ResNet of Caffe' if known and layers['conv1']['blobs'] else None


def build(tree, ledger, config):
    """The :class:`~chainer_seg.models.classifier.ResNetClassifier` of a file.

    Args:
        tree: What the reader made of the file.
        ledger: The :class:`~converters.ledger.Ledger` of its arrays.
        config: Arguments of the class that replace those found in the file, and perhaps
            ``definition``, the path of its .prototxt.
    """
    definition = config.pop('definition', None)
    if definition is not None:
        tree = caffe.with_definition(tree, definition)
    layers = CaffeLayers(tree['layers'], ledger)
    arguments = {**_arguments(layers), **config}
    check_size(arguments, ledger)
    model = ledger.make(ResNetClassifier, arguments, 'definition')
    fill_resnet(model.resnet, layers)
    layers.fill_logits(model.logits, 'fc1000')
    if definition is not None:
        for _, array in ledger.left():
            ledger.skip(array, 'layer that the definition leaves out')
    return model


def _arguments(layers):
    stages = layers.stages()
    strides, places = [], []
    for blocks in stages:
        first, second = (layers.parameters(f'{blocks[0]}_{branch}')
                         for branch in ('branch2a', 'branch2b'))
        strides.append(first['stride'] * second['stride'])
        places.append('3x3' if second['stride'] > 1 else '1x1')
        if second['dilation'] != 1:
            layers.ledger.fail(f'its block {blocks[0]} is dilated, as that of no classifier is')
    if strides != [1] + [2] * (len(stages) - 1):
        layers.ledger.fail(f'the strides of its stages are {strides}, which is no ResNet')
    pooling = layers.pooling('pool1')
    if pooling['kernel_size'] != 3 or pooling['stride'] != 2:
        layers.ledger.fail('its stem does not end with max pooling of size 3 and stride 2')
    return {'n_class': layers.array('fc1000', 0).shape[-2], 'blocks': [len(blocks) for blocks in stages],
            'width': layers.shape(f'{stages[0][0]}_branch2a')[0],
            'stem_width': layers.shape('conv1')[0],
            'stride_on': '3x3' if '3x3' in places else '1x1',
            'pooling': 'ceil', 'pool_pad': pooling['pad']}  # Caffe always rounds up.
