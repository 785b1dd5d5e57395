"""Readers of weights: model files, what converters take, and what is compared with them."""

import json
import pathlib
import pickle
import shutil

import chainer
import numpy as np

import converters
from chainer_seg.model_file import load_model, read_description, save_model
from chainer_seg.models.classifier import ResNetClassifier
from chainer_seg.models.deeplab import Click, ClickSegmenter, DeepLab
from chainer_seg.models.deepmask import DeepMask, SharpMask
from chainer_seg.models.mask_rcnn import MaskRCNN
from chainer_seg.models.yolact import Yolact, YolactBackbone
from tests.models.ritm.toys import make as make_ritm
from converters import caffe_export, torch_export
from converters.comparison import compare_recorded, layer_outputs
from converters.configuration import arguments_of
from converters.formats import torch7_writer
from converters.trees import named_arrays
from tests.converters.formats.test_torch7_damage import sample

DATA = pathlib.Path(__file__).parents[1] / 'converters' / 'formats' / 'data'
SMALL = {'blocks': (1, 1, 1, 1), 'width': 2}
IMAGE = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)


def _mask_rcnn():
    return MaskRCNN(
        classes=2,
        fpn_channels=4,
        box_features=8,
        mask_channels=4,
        anchor_sizes=(8, 16, 32, 64, 128),
        min_side=32,
        max_side=48,
        **SMALL,
    )


def _yolact():
    return Yolact(
        classes=2,
        image_size=64,
        fpn_channels=4,
        prototypes=3,
        rescoring=(4, 4),
        anchor_scales=((6,), (12,), (24,), (48,), (96,)),
        **SMALL,
    )


def _deepmask(kind, **options):
    return kind(
        patch_size=32,
        mask_size=8,
        blocks=(1, 1, 1),
        width=2,
        bottleneck=4,
        features=8,
        hidden=8,
        **options,
    )


# A small model of each class, and what is done with it.
MODELS = {
    'ClickSegmenter': (
        lambda: ClickSegmenter(decoder=4, mask_input=True, **SMALL),
        lambda model: model.segment(IMAGE, [Click(5, 5, True)]),
    ),
    'DeepLab': (lambda: DeepLab(n_class=3, **SMALL), lambda model: model.segment(IMAGE)),
    'DeepMask': (lambda: _deepmask(DeepMask, target_size=16), lambda model: model.propose(IMAGE, n=3)),
    'RitmDeepLab': (lambda: make_ritm('deeplab'), lambda model: model.segment(IMAGE, [Click(5, 5, True)])),
    'RitmHRNet': (
        lambda: make_ritm('hrnet', fbrs=True),
        lambda model: model.segment(IMAGE, [Click(5, 5, True), Click(9, 9, False)]),
    ),
    'SharpMask': (
        lambda: _deepmask(SharpMask, mask_channels=16, skip_channels=4),
        lambda model: model.propose(IMAGE, n=3),
    ),
    'MaskRCNN': (_mask_rcnn, lambda model: model.detect(IMAGE)),
    'Yolact': (_yolact, lambda model: model.detect(IMAGE)),
    'ResNetClassifier': (lambda: ResNetClassifier(n_class=3, **SMALL), None),
    'YolactBackbone': (lambda: YolactBackbone('darknet53', 2, (1, 1, 1)), None),
}


def _models(folder):
    for name, (make, _) in MODELS.items():
        model = make()
        model.class_names = ('a', 'b')
        save_model(folder / f'{name}.npz', model)


def _load(folder, path):
    read_description(folder / path)
    return load_model(folder / path)


def _use(folder, path):
    model = _load(folder, path)
    use = MODELS[type(model).__name__][1]
    if use is not None:
        with np.errstate(all='ignore'):
            use(model)


def _torch7(folder):
    for ascii in (False, True):
        torch7_writer.write(folder / f'sample{ascii:d}.t7', sample(), ascii=ascii)
    torch7_writer.write(
        folder / 'deepmask.t7', torch_export.torch_tree(_deepmask(DeepMask, target_size=16))
    )


def _pytorch(folder):
    for path in DATA.glob('*.pth'):
        shutil.copy(path, folder)


def _tensorflow(folder):
    for path in (DATA / 'tensorflow').iterdir():
        if path.is_file():
            shutil.copy(path, folder)


def _caffe(folder):
    caffe_export.export(folder / 'deeplab.caffemodel', DeepLab(n_class=3, **SMALL))


def _detectron(folder):
    rng = np.random.default_rng(0)
    blobs = {
        'conv1_w': rng.normal(size=(4, 3, 7, 7)).astype('f4'),
        'res_conv1_bn_s': np.ones(4, 'f4'),
        'res_conv1_bn_b': np.ones(4, 'f4'),
        'fc1000_w': np.ones((5, 4), 'f4'),
    }
    config = (
        'MODEL:\n  TYPE: generalized_rcnn\n  NUM_CLASSES: 5\nTEST:\n  SCALES: !!python/tuple [800]\n'
    )
    data = pickle.dumps({'blobs': blobs, 'cfg': config}, 2).replace(b'numpy._core', b'numpy.core')
    (folder / 'a.pkl').write_bytes(data)


def _read_weights(folder, path):
    found = converters.inspect(folder / path)
    for array in list(named_arrays(found.tree).values())[:5] if isinstance(found.tree, dict) else ():
        np.sum(array)


def _convert(folder, path):
    with np.errstate(all='ignore'):
        converters.convert(folder / path)


def _recorded(folder):
    model = ResNetClassifier(n_class=3, seed=1, **SMALL)
    save_model(folder / 'model.npz', model)
    x = np.zeros((1, 3, 16, 16), np.float32)
    with chainer.using_config('train', False):
        outputs = layer_outputs(model, x)
    names = sorted(outputs)[:3]
    np.savez(folder / 'recorded.npz', input=x, **{name: outputs[name] for name in names})


def _compare(folder, path):
    with np.errstate(all='ignore'):
        compare_recorded(load_model(folder / 'model.npz'), folder / 'recorded.npz')


def _configuration(folder):
    (folder / 'a.json').write_text(json.dumps({'classes': 3, 'padding': 'zero', 'scales': [1, 0.5]}))
    (folder / 'a.toml').write_text('classes = 3\npadding = "zero"\nscales = [1, 0.5]\n[more]\na = 1\n')


READERS = (
    ('model file', _models, _load, {'*.npz': 'zip'}),
    ('model in use', _models, _use, {'*.npz': 'zip'}),
    ('Torch7', _torch7, _read_weights, {'*.t7': 'bytes'}),
    (
        'PyTorch archive',
        _pytorch,
        _read_weights,
        {'module.pth': 'zip', 's*.pth': 'bytes', 'types.pth': 'zip', 'protocol_4.pth': 'zip'},
    ),
    ('PyTorch stream', _pytorch, _read_weights, {'*_stream.pth': 'bytes'}),
    (
        'TensorFlow',
        _tensorflow,
        _read_weights,
        {'*.ckpt': 'bytes', '*.index': 'bytes', '*.data*': 'bytes'},
    ),
    ('kaffe', _tensorflow, _read_weights, {'*.npy': 'bytes'}),
    ('Caffe', _caffe, _read_weights, {'*.caffemodel': 'bytes', '*.prototxt': 'text'}),
    ('Detectron', _detectron, _read_weights, {'*.pkl': 'bytes'}),
    (
        'conversion',
        lambda folder: (_torch7(folder), _caffe(folder), _detectron(folder)),
        _convert,
        {'deepmask.t7': 'bytes', '*.caffemodel': 'bytes', '*.pkl': 'bytes'},
    ),
    ('recorded outputs', _recorded, _compare, {'recorded.npz': 'zip'}),
    (
        'configuration',
        _configuration,
        lambda folder, path: arguments_of(folder / path),
        {'*.json': 'json', '*.toml': 'toml'},
    ),
)
