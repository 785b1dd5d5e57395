"""Recorded runs of the published RITM (../shared/data/formats/ritm): networks, clicks, and their stages."""

import functools
import json
import lzma
import pathlib
import tempfile

import chainer
import numpy as np
from PIL import Image

from chainer_seg.compat.blank import blank_parameters
from chainer_seg.functions import resize_bilinear
from chainer_seg.models.deeplab import Click
from chainer_seg.models.ritm import RitmHRNet
from tests.conftest import SHARED_DATA

FOLDER = SHARED_DATA / 'formats' / 'ritm'
FILES = {'hrnet_small': 'hrnet_small.pth', 'hrnet_full': 'hrnet_full_legacy.pth.xz',
         'hrnet_rgb': 'hrnet_rgb.pth.xz'}
# Lists of names of the networks whose weights are computed by a formula.
NAMES = {'deeplab': 'resnet34_dh128.txt', 'deeplab_rgb': 'resnet34_dh128.txt',
         'fullwidth_hrnet18s': 'hrnet18s_cocolvis_itermask_3p.txt'}


@functools.cache
def cases():
    return json.loads((FOLDER / 'cases.json').read_text())


@functools.cache
def units():
    return json.loads((FOLDER / 'units.json').read_text()), dict(np.load(FOLDER / 'units.npz'))


@functools.cache
def recorded(name):
    return dict(np.load(FOLDER / f'{name}.npz'))


@functools.cache
def image():
    return np.array(Image.open(FOLDER / 'image.png').convert('RGB'))


def clicks():
    return [Click(each['y'], each['x'], each['positive']) for each in cases()['clicks']]


@functools.cache
def path_of(name):
    """The checkpoint, unpacked where it is packed."""
    path = FOLDER / FILES[name]
    if path.suffix != '.xz':
        return path
    target = pathlib.Path(tempfile.mkdtemp()) / path.stem
    target.write_bytes(lzma.decompress(path.read_bytes()))
    return target


def model_of(name, **settings):
    """A converted network with settings of the prediction."""
    import converters
    if name in FILES:
        return converters.convert(path_of(name), settings)
    tree = tree_of(name)
    mapping = converters.WeightMapping('formula', converters.trees.named_arrays(tree))
    with blank_parameters():
        model = converters.ritm.build(tree, mapping, settings)
    mapping.close(model)
    return model


@functools.cache
def tree_of(name):
    """What the reader would return for a network whose weights are computed by the formula."""
    shapes = shapes_of(name)
    return {'state_dict': {key: _weights(key, shape, shapes, name) for key, shape in shapes.items()},
            'config': cases()['models'][name]['config']}


def shapes_of(name):
    """The shapes of the weights by name."""
    lines = (FOLDER / 'names' / NAMES[name]).read_text().splitlines()[1:]
    shapes = {key: tuple(map(int, shape.split('x'))) if shape[0].isdigit() else ()
              for key, _, shape in (line.partition(' ') for line in lines)}
    if name.startswith('deeplab'):
        channels = cases()['models'][name]['config']['params']['deeplab_ch']['value']
        shapes = {key: _narrowed(key, shape, channels) for key, shape in shapes.items()}
    if name == 'deeplab_rgb':
        shapes = {key: shape for key, shape in shapes.items() if not key.startswith('maps_transform')}
        shapes |= {'rgb_conv.0.weight': (8, 5, 1, 1), 'rgb_conv.0.bias': (8,),
                   'rgb_conv.3.weight': (3, 8, 1, 1), 'rgb_conv.3.bias': (3,),
                   'rgb_conv.1.num_batches_tracked': (),
                   **{f'rgb_conv.1.{key}': (8,) for key in ('weight', 'bias', 'running_mean', 'running_var')}}
    return shapes


def _narrowed(key, shape, channels):
    """The shape for another number of channels of the decoder than 128."""
    if key.startswith(('feature_extractor.aspp', 'feature_extractor.head', 'head')):
        sizes = {128: channels, 160: channels + 32, 640: 5 * channels, 64: channels // 2}
        return tuple(sizes.get(size, size) for size in shape)
    return shape


def uniform(name, seed, count):
    """The uniform numbers of the formula."""
    state = 14695981039346656037
    for byte in name.encode():
        state = ((state ^ byte) * 1099511628211) % 2 ** 64
    state ^= seed * 0x9E3779B97F4A7C15 % 2 ** 64
    with np.errstate(over='ignore'):
        x = np.uint64(state) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        x ^= x >> np.uint64(30)
        x *= np.uint64(0xBF58476D1CE4E5B9)
        x ^= x >> np.uint64(27)
        x *= np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    return (x >> np.uint64(11)).astype(np.float64) * 2.0 ** -53


def _weights(key, shape, shapes, name):
    given, last = recorded(name), key.rpartition('.')[2]
    overridden = given['override_names'].tolist()
    if key in overridden:
        return given[f'override{overridden.index(key)}']
    if last == 'num_batches_tracked':
        return np.array(1000)
    u = uniform(key, cases()['models'][name]['seed'], int(np.prod(shape))).reshape(shape)
    gains = dict(zip(given['gain_names'].tolist(), given['gain_values'].tolist()))
    return _values(key, last, u, shapes, gains.get(key, 1)).astype(np.float32)


def _values(key, last, u, shapes, gain):
    layer = key.rpartition('.')[0]
    if last == 'running_mean':
        return (2 * u - 1) * 0.3
    if last == 'running_var':
        return 0.5 + u
    if last == 'scale':
        return 0.6 + 0.4 * u
    if f'{layer}.running_mean' in shapes:
        if last == 'bias':
            return (2 * u - 1) * 0.2
        low, width = _norm_range(layer, shapes)
        return low + width * u
    if last == 'bias':
        return (2 * u - 1) * 0.1
    return (2 * u - 1) * (np.sqrt(3) * gain / np.sqrt(np.prod(u.shape[1:])))


def _norm_range(layer, shapes):
    block, _, last = layer.rpartition('.')
    if last == 'bn3' or (last == 'bn2' and f'{block}.bn3.weight' not in shapes
                         and layer != 'feature_extractor.bn2'):
        return 0.25, 0.3
    if 'downsample.1' in layer:
        return 0.5, 0.4
    if 'fuse_layers' in layer:
        return 0.3, 0.2
    return 0.6, 0.8


def settings_of(mode):
    """The arguments of the model for a recorded mode."""
    wanted = cases()['modes'][mode]
    settings = {'flip': wanted['flip'], 'zoom_side': None, 'longest_side': wanted.get('max_size'),
                'click_limit': wanted.get('net_clicks_limit')}
    if wanted['zoom'] is not None:
        zoom = dict(wanted['zoom'])
        side = zoom['target_size']
        settings |= {'zoom_side': side[0] if isinstance(side, list) else side,
                     'zoom_square': isinstance(side, list), 'zoom_after': zoom.get('skip_clicks', 1),
                     'zoom_least': zoom.get('min_crop_size', 200)}
    return settings


class Recorder(chainer.LinkHook):
    """Keeps what goes into each link and what comes out, for each run of the network."""

    name = 'Recorder'

    def __init__(self, model):
        super().__init__()
        self.model, self.runs, self.inputs, self.boxes = model, [], [], []
        prepare = model.prepare

        def prepared(image, clicks, previous, box, flip):
            x, view = prepare(image, clicks, previous, box, flip)
            self.inputs.append(x)
            self.boxes.append(box)
            self.runs.append({})
            return x, view
        model.prepare = prepared

    def forward_postprocess(self, args):
        self.runs[-1][id(args.link)] = (args.args, args.out)

    def stages(self, number):
        """The stages of a run by the names of the recordings."""
        run = self.runs[number]

        def into(link):
            return _array(run[id(link)][0][0])

        def out(link):
            result = run[id(link)][1]
            return [_array(each) for each in result] if isinstance(result, (tuple, list)) else _array(result)
        size = self.inputs[number].shape[2:]
        stages = {'rgb_conv' if self.model.colors_only else 'maps_transform': out(self.model.clicks)}
        fill = _hrnet_stages if isinstance(self.model, RitmHRNet) else _deeplab_stages
        fill(self.model, into, out, stages)
        for low, full in (('out_low', 'instances'), ('aux_low', 'instances_aux')):
            if low in stages:
                stages[full] = resize_bilinear(stages[low], size).array
        return stages


def _hrnet_stages(model, into, out, stages):
    net, context = model.backbone, model.context
    stages |= {'conv1': out(net.stem1.conv), 'stem1': into(net.stem2), 'stem': into(net.stage1),
               'layer1': out(net.stage1)}
    for name in net.stage_names:
        stages |= {f'{name}_{number}': branch for number, branch in enumerate(out(net[name]))}
    merged = into(context.merge)
    half = merged.shape[1] // 2
    stages['feats'] = into(context)
    stages['out_low'], stages['aux_low'] = out(context)
    stages['ocr_context'], stages['ocr_pixels'] = merged[:, :half], merged[:, half:]
    stages |= {'ocr_object': into(context.value), 'ocr_value': into(context.context),
               'ocr_out': into(context.logits)}
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        stages['ocr_query'] = context.query(stages['ocr_pixels']).array
        stages['ocr_key'] = context.key(stages['ocr_object']).array


def _deeplab_stages(model, into, out, stages):
    resnet, pyramid = model.resnet, model.pyramid
    stages |= {'conv1': out(resnet.stem.conv), 'stem': into_pooling(model, into, out)}
    stages |= {f'layer{number}': out(resnet[name]) for number, name in enumerate(resnet.stage_names, start=1)}
    joined = into(pyramid.project)
    count = len(pyramid.dilated) + 2
    width = joined.shape[1] // count
    stages |= {f'aspp{number}': joined[:, number * width:(number + 1) * width] for number in range(count)}
    features = into(model.decoder)
    channels = model.pyramid.project.conv.out_channels
    stages |= {'aspp': out(pyramid), 'skip': features[:, channels:], 'decoder': out(model.decoder),
               'out_low': out(model.logits)}


def into_pooling(model, into, out):
    """What the max pooling of DeepLab's stem gets: no link has it as input or output."""
    h = np.maximum(out(model.resnet.stem), 0)
    return h if model.colors_only else h + out(model.clicks)


def _array(value):
    return value.array if isinstance(value, chainer.Variable) else value


def sampled(array, count):
    """The values of an array that are recorded."""
    flat = array.ravel()
    return flat[np.arange(count) * flat.size // count]


def run(name, mode):
    """All clicks of a mode: the model, the recorder, and (answer, probability, number of runs) of each."""
    model = model_of(name, **settings_of(mode))
    wanted = cases()['modes'][mode]
    given = clicks()[:wanted.get('clicks', 4)]
    recorder, results = Recorder(model), []
    probability, answer = np.zeros(image().shape[:2], np.float32), None
    start = None
    if wanted.get('init'):
        start = (np.array(Image.open(FOLDER / 'mask.png')) > 0).astype(np.float32)
    with recorder:
        for count in range(1, len(given) + 1):
            runs = len(recorder.runs)
            # The original's demo shows a given mask before every click, and answers the first one twice.
            for _ in range(2 if start is not None and count == 1 else 1):
                answer = model.answer(image(), given[:count], probability if start is None else start,
                                      before=answer, found=probability)
                probability = model.decode(answer.logits, answer.view)
            results.append((answer, probability, len(recorder.runs) - runs))
    return model, recorder, results
