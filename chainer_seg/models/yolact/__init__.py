"""YOLACT (arXiv 1904.02689) and YOLACT++ (arXiv 1912.06218): real-time instance segmentation.

To train one on a data set of one's own, from a model of other classes:

    from chainer_seg import load_model, training
    from chainer_seg.models import yolact
    source, experiment = load_model('yolact'), yolact.read_experiment('shapes')
    experiment.take_model(source)
    model = experiment.make_model(dataset.class_names)
    yolact.start_from(source, model)
    trainer = training.build_trainer(
        experiment.make_train_chain(model, batch_size=4), dataset, iterations=200, batch_size=4,
        transform=experiment.make_samples(model), converter=yolact.stack_examples,
        optimizer='adam', lr=1e-3, model_to_save=model)
    training.train(trainer)
"""

from chainer_seg.models.yolact.augmentation import Augmentation, augment
from chainer_seg.models.yolact.backbones import Backbone, register_backbone
from chainer_seg.models.yolact.experiments import Experiment, experiment_names, read_experiment
from chainer_seg.models.yolact.model import Yolact
from chainer_seg.models.yolact.pretrained import start_backbone, start_from
from chainer_seg.models.yolact.samples import YolactSamples, stack_examples
from chainer_seg.models.yolact.train_chain import YolactTrainChain

__all__ = ['Augmentation', 'Backbone', 'Experiment', 'Yolact', 'YolactSamples', 'YolactTrainChain',
           'augment', 'experiment_names', 'read_experiment', 'register_backbone', 'start_backbone',
           'start_from', 'stack_examples']
