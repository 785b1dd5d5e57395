"""python scripts/train.py classifier: a ResNet that names objects, for a detector to start from."""

import argparse
import functools

from commands.training_options import (
    add_data_options, add_training_options, find_resnet, open_indices, run_training)

from chainer_seg import command_line
from chainer_seg.evaluation import evaluate_crops
from chainer_seg.links import copy_resnet
from chainer_seg.models.classifier import ClassifierTrainChain, ObjectCrops, ResNetClassifier
from chainer_seg.models.deepmask.samples import NUMBERS


def add_options(systems):
    parser = systems.add_parser(
        'classifier', help='a ResNet that names objects',
        description='Train a ResNet to name the objects of a data set, for a detector to start from.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.set_defaults(train=train_classifier)
    add_data_options(parser)
    parser.add_argument('--pictures', type=command_line.count_argument, default=2000, metavar='N',
                        help='number of drawn pictures to train on')
    add_training_options(parser, iterations=2000, batch_size=64, lr=2e-3)
    net = parser.add_argument_group('the network')
    net.add_argument('--side', type=command_line.count_argument, default=64, metavar='PX',
                     help='side of the crops')
    net.add_argument('--blocks', type=int, nargs=4, default=(3, 4, 6, 3), metavar='N',
                     help='blocks of the four stages')
    net.add_argument('--width', type=int, default=64, help='channels of the stem')
    net.add_argument('--stride-on', choices=('1x1', '3x3'), default='1x1',
                     help='the convolution of a block that carries its stride')
    net.add_argument('--trunk', metavar='MODEL',
                     help='start from the ResNet in this model file; give its sizes, too')
    net.add_argument('--half', action='store_true', help='save the model in half precision')


def train_classifier(options):
    training_set, validation_set = open_indices(options)
    classes = training_set.dataset.class_names
    model = ResNetClassifier(len(classes), tuple(options.blocks), options.width,
                             stride_on=options.stride_on, seed=options.seed)
    model.class_names = classes
    if options.trunk:
        copy_resnet(find_resnet(options.trunk), model.resnet)
    evaluator = functools.partial(evaluate_crops, crops=ObjectCrops(validation_set, options.side))
    run_training(options, ClassifierTrainChain(model), model, NUMBERS,
                 ObjectCrops(training_set, options.side), evaluator,
                 best_metric=('validation/accuracy', 'max'), shuffle=False)
