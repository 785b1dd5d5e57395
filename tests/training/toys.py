"""A network with BatchNorm and dropout, and data sets, small enough to train in a second."""

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np

from chainer_seg import training
from chainer_seg.errors import ImageError
from chainer_seg.models.base import Model


class Net(Model):
    """A convolution, BatchNorm if asked for, dropout and a linear layer, as a train chain."""

    def __init__(self, seed=0, batch_norm=True, dropout=0.3):
        super().__init__()
        rng = np.random.default_rng(seed)
        self._dropout = dropout
        with self.init_scope():
            self.conv = L.Convolution2D(
                2, 4, 3, pad=1, initialW=rng.normal(0, 0.3, (4, 2, 3, 3)).astype(np.float32))
            self.norm = L.BatchNormalization(4) if batch_norm else L.Scale(1, (4,), True)
            self.fc = L.Linear(
                100, 2, initialW=rng.normal(0, 0.1, (2, 100)).astype(np.float32))

    def forward(self, x, t):
        h = F.relu(self.norm(self.conv(x)))
        y = self.fc(F.dropout(h, self._dropout) if self._dropout else h)
        loss = F.softmax_cross_entropy(y, t)
        chainer.report({'loss': loss, 'accuracy': F.accuracy(y, t)}, self)
        return loss


class Images:
    """``count`` tiny images with a label; ``poisoned`` ones are NaN, ``broken`` ones raise."""

    def __init__(self, count=13, poisoned=(), broken=()):
        self.ids = [1000 + i for i in range(count)]
        self._poisoned, self._broken = poisoned, broken

    def __len__(self):
        return len(self.ids)

    def __getitem__(self, index):
        if index in self._broken:
            raise ImageError(f'image {index} is unreadable; replace it.')
        rng = np.random.default_rng(index)
        image = rng.normal(0, 1, (2, 5, 5)).astype(np.float32)
        if index in self._poisoned:
            image[0, 2, 2] = np.nan
        return image, np.int32(index % 2)


def add_noise(example, rng):
    """A transform that draws from its generator."""
    image, label = example
    return image + rng.normal(0, 0.1, image.shape).astype(np.float32), label


def count_weights(model):
    """An evaluator."""
    return {'norm': float(abs(model.conv.W.array).sum())}


def build(out, net=None, dataset=None, **settings):
    """A trainer of 20 iterations on the toys, without displays."""
    defaults = {
        'transform': add_noise, 'iterations': 20, 'batch_size': 4, 'lr': 0.05,
        'weight_decay': 1e-3, 'workers': 0, 'snapshot_every': 1000, 'log_every': 4,
        'evaluate_every': 5, 'evaluator': count_weights, 'tensorboard': False,
        'progress': 'none'}
    return training.build_trainer(
        net or Net(), dataset or Images(), out=out, **{**defaults, **settings})


def state_of(trainer):
    """Every parameter, running statistic and optimizer state, by name."""
    net = trainer.updater.get_optimizer('main').target
    state = chainer.serializers.DictionarySerializer()
    net.serialize(state['net'])
    trainer.updater.get_optimizer('main').serialize(state['optimizer'])
    return state.target


def lasting_log(trainer):
    """The lines of the log without the time, which no two runs share."""
    return [{name: value for name, value in line.items() if name != 'elapsed_time'}
            for line in trainer.log.lines]


def assert_same_run(trainer, other):
    """Parameters, statistics, optimizer state, stream and log agree bit by bit."""
    state, other_state = state_of(trainer), state_of(other)
    assert state.keys() == other_state.keys()
    for name, value in state.items():
        np.testing.assert_array_equal(value, other_state[name], err_msg=name)
    assert lasting_log(trainer) == lasting_log(other)
    position, other_position = (
        each.updater.get_iterator('main').position for each in (trainer, other))
    assert position == other_position
