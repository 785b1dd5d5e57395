"""Writes the files of this folder: python make_tensorflow_files.py. Needs TensorFlow; 2.21 wrote them.

Also cramjam, which packs the index ``packed.index``; TensorFlow 1.1 may have written such ones.
"""

import os
import pathlib
import struct

import numpy as np
import tensorflow.compat.v1 as tf

TYPES = ('float32', 'float64', 'int32', 'uint8', 'int16', 'int8', 'complex64', 'int64', 'bool', 'uint16',
         'complex128', 'half')
NEWER = ('bfloat16', 'uint32', 'uint64')  # Only files of the second kind can have them.
V1, V2 = tf.train.SaverDef.V1, tf.train.SaverDef.V2
WIDTH, EPS = 2, 1e-3
BLOCKS = {'2': 'a', '3': ('a', 'b1'), '4': ('a', 'b1'), '5': 'a'}
DILATIONS = {'4': 2, '5': 4}


def variable(name, values, dtype=None, **options):
    return tf.get_variable(name, initializer=tf.constant(values, dtype), use_resource=False, **options)


def save(path, version, sharded=False):
    saver = tf.train.Saver(write_version=version, sharded=sharded)
    with tf.Session(config=tf.ConfigProto(device_count={'CPU': 2})) as session:
        session.run(tf.global_variables_initializer())
        for assign in tf.get_collection('later'):
            session.run(assign)
        saver.save(session, str(path), write_meta_graph=False, write_state=False)


def types(names):
    """Six numbers of each type, -1 and up, and scalars, an empty array and strings."""
    for name in names:
        values = np.arange(6).reshape(2, 3) - 1
        variable(name, values % 2 == 0 if name == 'bool' else
                 values.astype(tf.as_dtype(name).as_numpy_dtype), name)
    variable('scalar', 2.5)
    variable('empty', np.zeros((0, 3), np.float32))
    variable('strings', [[b'one', b''], [b'\xff\0', b'four']])


def training():
    """Variables in slices on two devices, with the state of two optimisers, after one step."""
    step = tf.train.get_or_create_global_step()
    with tf.device('/cpu:0'):
        weights = variable('conv1/weights', np.arange(36, dtype='f4').reshape(3, 3, 2, 2))
        rows = tf.get_variable('rows/weights', (300, 2), use_resource=False,
                               partitioner=tf.fixed_size_partitioner(3))
        table = tf.get_variable('table', (9000,), tf.uint8, use_resource=False,
                                partitioner=tf.fixed_size_partitioner(18))
    with tf.device('/cpu:1'):
        biases = variable('conv1/biases', np.arange(2, dtype='f4'))
    loss = tf.reduce_sum(weights) + tf.reduce_sum(biases ** 2)
    momentum = tf.train.MomentumOptimizer(.25, .9).minimize(loss, step, [weights])
    adam = tf.train.AdamOptimizer(.5).minimize(loss, var_list=[biases])
    parts = [part.assign(np.reshape(np.arange(200) + 200 * i, (100, 2))) for i, part in enumerate(rows)]
    parts += [part.assign(np.arange(500 * i, 500 * (i + 1)) % 251) for i, part in enumerate(table)]
    for operation in (momentum, adam, *parts):
        tf.add_to_collection('later', operation)


class Network:
    """A small network with the layers of DeepLab-ResNet; what it computes is in ``outputs``."""

    def __init__(self, x, outputs, seed):
        self.rng, self.outputs = np.random.default_rng(seed), {}
        h = self.norm(self.conv(x, 'conv1', 7, WIDTH, 2), 'bn_conv1', relu=True)
        self.outputs['conv1'] = h
        self.outputs['pool1'] = h = tf.nn.max_pool2d(h, 3, 2, 'SAME')
        for stage, blocks in BLOCKS.items():
            for block in blocks:
                h = self.block(h, stage, block)
            self.outputs[f'res{stage}{block}'] = h
        self.outputs['fc1_voc12'] = sum(
            self.conv(h, f'fc1_voc12_c{i}', 3, outputs, dilation=6 * i + 6, bias=True) for i in range(4))

    def block(self, x, stage, block):
        width, dilation = WIDTH * 2 ** (int(stage) - 2), DILATIONS.get(stage, 1)
        stride, shortcut, name = 1, x, stage + block
        if block == 'a':
            stride = 2 if stage == '3' else 1
            shortcut = self.unit(x, f'{name}_branch1', 1, 4 * width, stride, relu=False)
        h = self.unit(x, f'{name}_branch2a', 1, width, stride)
        h = self.unit(h, f'{name}_branch2b', 3, width, dilation=dilation)
        return tf.nn.relu(shortcut + self.unit(h, f'{name}_branch2c', 1, 4 * width, relu=False))

    def unit(self, x, name, size, outputs, stride=1, dilation=1, relu=True):
        return self.norm(self.conv(x, f'res{name}', size, outputs, stride, dilation), f'bn{name}', relu)

    def conv(self, x, name, size, outputs, stride=1, dilation=1, bias=False):
        shape = (size, size, x.shape[3], outputs)
        weights = self.variable(f'{name}/weights', self.rng.normal(0, np.prod(shape[:3]) ** -.5, shape))
        h = (tf.nn.atrous_conv2d(x, weights, dilation, 'SAME') if dilation > 1 else
             tf.nn.conv2d(x, weights, stride, 'SAME'))
        return h + self.variable(f'{name}/biases', self.rng.normal(0, 1, outputs)) if bias else h

    def norm(self, x, name, relu):
        # Small variances, so that another epsilon than slim's would be seen.
        sizes = {'gamma': (1, .3), 'beta': (0, .3), 'moving_mean': (0, .1),
                 'moving_variance': (.05, .02)}
        gamma, beta, mean, variance = (
            self.variable(f'{name}/{key}', np.abs(self.rng.normal(*size, x.shape[3])))
            for key, size in sizes.items())
        h = tf.nn.batch_normalization(x, mean, variance, beta, gamma, EPS)
        return tf.nn.relu(h) if relu else h

    @staticmethod
    def variable(name, values):
        return variable(name, values.astype(np.float32))


def network(path, version, scope, inputs, outputs, seed):
    """A network's checkpoint, and what it computes of two images of other sizes."""
    with tf.Graph().as_default(), tf.Session() as session:
        image = tf.placeholder(tf.float32, (None, None, None, inputs))
        with tf.variable_scope(scope):
            net = Network(image, outputs, seed)
        session.run(tf.global_variables_initializer())
        tf.train.Saver(write_version=version).save(session, str(path), write_meta_graph=False,
                                                   write_state=False)
        rng, recorded = np.random.default_rng(seed), {}
        for number, size in enumerate(((33, 41), (32, 44))):
            x = rng.integers(-100, 100, (1, *size, inputs)).astype(np.float32)
            found = session.run(net.outputs, {image: x})
            recorded[f'in{number}'] = x.transpose(0, 3, 1, 2)
            recorded |= {f'out{number}/{name}': array.transpose(0, 3, 1, 2)
                         for name, array in found.items()}
    np.savez_compressed(f'{path.name.split("_v1")[0].removesuffix(".ckpt")}.npz', **recorded)


def pack(source, target):
    """Copies a table of one block of data with its blocks packed; TensorFlow reads what comes out."""
    import cramjam
    from google_crc32c import value
    data = source.read_bytes()
    (meta_at, meta_size), (index_at, index_size) = handles(data[-48:])
    blocks, places = [], []
    for at, size in ((0, meta_at - 5), (meta_at, meta_size), (index_at, index_size)):
        content = data[at:at + size]
        if at == index_at:  # It has the place of the block of data.
            key, shared = entry_key(content)
            content = entry(key, varint(places[0][0]) + varint(places[0][1])) + struct.pack('<2I', 0, 1)
        packed = bytes(cramjam.snappy.compress_raw(content)) + b'\1'
        checksum = value(packed)
        checksum = ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF
        places.append((sum(map(len, blocks)), len(packed) - 1))
        blocks.append(packed + struct.pack('<I', checksum))
    footer = b''.join(varint(number) for place in places[1:] for number in place).ljust(40, b'\0')
    target.write_bytes(b''.join(blocks) + footer + data[-8:])


def handles(footer):
    numbers, at = [], 0
    for _ in range(4):
        number = shift = 0
        while True:
            number |= (footer[at] & 127) << shift
            at, shift = at + 1, shift + 7
            if footer[at - 1] < 128:
                break
        numbers.append(number)
    return numbers[:2], numbers[2:]


def entry_key(block):
    return block[3:3 + block[1]], block[0]


def entry(key, content):
    return bytes([0, len(key), len(content)]) + key + content


def varint(number):
    return (b'' if number < 128 else bytes([number & 127 | 128])) + (
        bytes([number]) if number < 128 else varint(number >> 7))


def main():
    os.chdir(pathlib.Path(__file__).parent)
    tf.disable_eager_execution()
    for make, path, version, sharded in (
            (lambda: types(TYPES), 'types_v1.ckpt', V1, False),
            (lambda: types(TYPES + NEWER), 'types', V2, False),
            (training, 'training_v1.ckpt', V1, False), (training, 'training', V2, True),
            (training, 'shards_v1.ckpt', V1, True)):
        with tf.Graph().as_default():
            make()
            save(path, version, sharded)
    pack(pathlib.Path('training.index'), pathlib.Path('packed.index'))
    network(pathlib.Path('click_v1.ckpt'), V1, '', 5, 1, seed=1)
    network(pathlib.Path('semantic'), V2, 'net', 3, 4, seed=2)


if __name__ == '__main__':
    main()
