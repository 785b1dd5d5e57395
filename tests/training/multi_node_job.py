"""What every rank of test_multi_node.py runs: ``python -m tests.training.multi_node_job NAME FOLDER``."""

import os
import signal
import sys

import chainer_seg  # noqa: F401  before Chainer
import numpy as np

from chainer_seg.cli import train
from chainer_seg.command_line import run
from chainer_seg.training.multi_node import connect, ending_together
from tests.training.toys import Images, Net, build

RANKS = 2
_COMMON = ' --workers 0 --log-every 1 --device cpu -q'
_NORM = '--optimizer momentum --lr 0.01'

# Tiny trainings; the option that sets the batch size comes last.
SYSTEMS = {
    'yolact': 'yolact --name shapes --set width=2 blocks=[1,1,1,1] fpn_channels=4 prototypes=3 image_size=64 '
              'anchor_scales=[[8],[16],[24],[40],[60]] warm_up=0 --size 64 --val-n 3 --iterations 2 '
              '--snapshot-every 2 --batch-size',
    'mask-rcnn': 'mask-rcnn --neck fpn --fpn-channels 8 --box-features 16 --anchor-sizes 8 16 24 32 48 '
                 '--canonical-size 48 --min-side 64 --max-side 96 --rois 16 --proposals 50 20 '
                 '--test-proposals 50 5 --mask-channels 8 --pretrained none --blocks 1 1 1 1 --width 4 '
                 '--dataset shapes --size 64 --val-n 3 --iteration 2 --validation 2 --snapshot 2 --lr 0.0005 '
                 '--lr_initialchange 1 --subdivision 2 --freeze-bn --batchsize',
    'click': f'click --blocks 1 1 1 1 --width 4 --crop 65 --size 96 --val-n 3 '
             f'--iterations 2 --warm-up 0 --snapshot-every 2 {_NORM} --batch-size',
    'deepmask': 'deepmask --scratch --iSz 48 --oSz 10 --gSz 24 --blocks 1 1 1 --width 3 --bottleneck 4 '
                '--features 10 --hidden 7 --size 64 --synthetic-images 3 --val-n 2 --maxload 2 --maxepoch 1 '
                '--testmaxload 2 --batch',
    'deeplab': f'deeplab --blocks 1 1 1 1 --width 4 --pyramid 1 2 --crop 33 --size 48 --val-n 3 '
               f'--iterations 2 --warm-up 0 --snapshot-every 2 {_NORM} --batch-size',
}


def train_system(name, folder, batch_size, options=''):
    """Trains one of the systems, as the command does."""
    line = f'{SYSTEMS[name]} {batch_size} --out {folder}/{name} {options}{_COMMON}'
    system, *arguments = line.split()
    train.train(train.parse(system, arguments))


def systems(folder):
    """All systems: batch normalisation, where it is not frozen, sees all ranks."""
    for name in SYSTEMS:
        # The recipe of Mask R-CNN multiplies its learning rate by the batch size.
        scaling = '--lr-scaling linear' if name == 'mask-rcnn' else ''
        train_system(name, folder, 2, f'--communicator naive --sync-batch-norm {scaling}')


def toys(folder):
    """A run in two parts and a whole one, with the batch normalisation of each rank."""
    ranks = connect('naive')
    settings = {'communicator': 'naive', 'batch_size': 2, 'snapshot_every': 4, 'optimizer': 'adam',
                'lr': 0.01}
    whole = build(f'{folder}/whole', **settings)
    whole.run()
    build(f'{folder}/parts', iterations=12, **settings).run()
    parts = build(f'{folder}/parts', Net(seed=9), resume='auto', **settings)
    assert parts.updater.iteration == 12
    parts.run()
    state, other = ([(name, value.array) for name, value in trainer.updater.get_optimizer('main').target
                     .namedparams()] for trainer in (whole, parts))
    for (name, value), (_, found) in zip(state, other):
        np.testing.assert_array_equal(value, found, err_msg=f'{name} on rank {ranks.rank}')
    norms = [trainer.updater.get_optimizer('main').target.norm for trainer in (whole, parts)]
    np.testing.assert_array_equal(norms[0].avg_mean, norms[1].avg_mean)
    of_all = ranks.gather(norms[0].avg_mean)
    np.testing.assert_array_equal(of_all[0], of_all[1])
    numbers = ranks.gather([number for number, _ in whole.updater.get_iterator('main').drawn])
    assert sorted(numbers[0] + numbers[1]) == list(range(19 * 4, 20 * 4)), numbers
    poisoned = build(f'{folder}/poisoned', dataset=Images(8, poisoned=[1]), **settings)
    poisoned.run()
    assert ranks.gather(poisoned.updater.skipped) == [poisoned.updater.skipped] * 2
    assert poisoned.updater.skipped
    print(f'rank {ranks.rank} is done')


def _stop_in(iteration, action, folder, rank=1):
    """A training in which a rank does something after an iteration."""
    def act(trainer):
        if trainer.updater.iteration == iteration and connect('naive').rank == rank:
            action(trainer)
    trainer = build(f'{folder}/out', communicator='naive', batch_size=2, iterations=10 ** 6)
    trainer.extend(act, name='act', trigger=(1, 'iteration'), priority=1000)
    with ending_together(connect('naive')):
        trainer.run()


def killed(folder):
    """Rank 1 is killed."""
    _stop_in(3, lambda trainer: os.kill(os.getpid(), signal.SIGKILL), folder)


def failing(folder):
    """Rank 1 raises an error."""
    _stop_in(3, lambda trainer: Images(3, broken=[2])[2], folder)


def crashing(folder):
    """Rank 1 has an error of the program."""
    _stop_in(3, lambda trainer: [][0], folder)


def terminated(folder):
    """Rank 1 receives SIGTERM."""
    _stop_in(3, lambda trainer: os.kill(os.getpid(), signal.SIGTERM), folder)


if __name__ == '__main__':
    run(lambda: globals()[sys.argv[1]](sys.argv[2]))
