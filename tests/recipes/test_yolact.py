"""The recipes of YOLACT: the published ones, and what is built from them."""

import pytest

from chainer_seg.errors import TrainingError
from chainer_seg.models.yolact import Yolact
from chainer_seg.models.yolact.train_chain import PUBLISHED_WEIGHTS
from chainer_seg.recipes import YolactRecipe
from tests.models.yolact.toys import SMALL

PUBLISHED = ('base', 'darknet53', 'im400', 'im700', 'plus_base', 'plus_resnet50', 'resnet50',
             'resnet50_pascal')


def test_the_published_recipes_and_a_template_exist():
    assert {*PUBLISHED, 'template', 'shapes'} <= set(YolactRecipe.published())


def test_the_defaults_are_those_of_yolact_base():
    assert YolactRecipe.load('base') == YolactRecipe()


@pytest.mark.parametrize('name', PUBLISHED)
def test_the_published_network_can_be_built(name):
    """A tenth of the width, so that it takes no time; all other sizes are the published ones."""
    recipe = YolactRecipe.load(name).replace(width=4, fpn_channels=8, prototypes=4)
    model = recipe.make_model(['cat', 'dog'])
    assert model.class_names == ('cat', 'dog')
    # Three or nine at each place of maps of sides 69, 35, 18, 9, 5; of 50, ..., 4 and of 88, ..., 6.
    assert len(model.anchors()) == {'im400': 10077, 'im700': 30963, 'plus_base': 57744,
                                    'plus_resnet50': 57744}.get(name, 19248)


def test_the_published_training_is_that_of_the_paper():
    training = YolactRecipe().training
    rates = [1e-3 * training.make_schedule()(iteration, 800_000)
             for iteration in (0, 250, 500, 280_000, 600_000, 700_000, 750_000)]
    assert rates == pytest.approx([1e-4, 5.5e-4, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7])
    assert (training.lr, training.momentum, training.weight_decay) == (1e-3, 0.9, 5e-4)
    assert training.batch_size == 8 and training.keep_last == 5


def test_the_losses_have_the_published_weights():
    chain = YolactRecipe().make_train_chain(Yolact(**SMALL), 8)
    for name in ('classes', 'boxes', 'masks', 'semantic', 'rescoring'):
        assert getattr(chain.weights, name) == getattr(PUBLISHED_WEIGHTS, name)
    assert (chain.thresholds.crowd, chain.negative_ratio, chain.max_masks) == (0.7, 3, 100)


@pytest.mark.parametrize(('batch', 'frozen'), [(5, True), (6, False)])
def test_normalisation_is_frozen_below_six_images(batch, frozen):
    assert YolactRecipe().make_train_chain(Yolact(**SMALL), batch).freeze_norm is frozen


@pytest.mark.parametrize('values', [{'backbone': 'resnet18'}, {'anchor_scales': [[1], [2]]}])
def test_a_network_that_cannot_be_built_is_an_error(values):
    with pytest.raises(TrainingError, match='There is no YOLACT of these sizes'):
        YolactRecipe().replace(**values).make_model(['cat'])


def test_the_sizes_of_a_model_are_adopted():
    model = YolactRecipe().with_model(Yolact(**SMALL)).make_model(['one', 'two'], seed=3)
    assert model.classes == 2 and model.config['seed'] == 3
    assert {**model.config, 'classes': 0, 'seed': 0} == {
        **Yolact(**SMALL).config, 'classes': 0, 'seed': 0}


def test_names_and_values_of_the_tensorflow_implementation_are_understood():
    recipe = YolactRecipe.load('resnet50').assign([
        'NUM_MAX_PAD=7', 'THRESHOLD_POS=0.6', 'THRESHOLD_NEG=0.3', 'BACKBONE=efficientNet-B0', 'IMG_SIZE=200',
        'PROTO_OUTPUT_SIZE=50', 'FPN_CHANNELS=8', 'NUM_MASK=4', 'LOSS_WEIGHT_CLS=2', 'LOSS_WEIGHT_BOX=3',
        'LOSS_WEIGHT_MASK=4', 'LOSS_WEIGHT_SEG=5', 'NEG_POS_RATIO=6', 'MAX_MASKS_FOR_TRAIN=8', 'TOP_K=9',
        'CONF_THRESHOLD=0.2', 'NMS_THRESHOLD=0.3', 'MAX_NUM_DETECTION=10', 'MIXPRECISION=True'])
    model, losses = recipe.model, recipe.losses
    assert (recipe.samples.max_objects, recipe.matching.positive, recipe.matching.negative) == (7, 0.6, 0.3)
    assert (model.backbone, model.image_size, model.prototype_scale) == ('efficientnet-b0', 200, 2)
    assert (model.fpn_channels, model.prototypes, model.top_k) == (8, 4, 9)
    assert (losses.classes, losses.boxes, losses.masks, losses.semantic) == (2, 3, 4, 5)
    assert (losses.negative_ratio, losses.max_masks) == (6, 8)
    assert (model.score_threshold, model.nms_threshold, model.max_detections) == (0.2, 0.3, 10)
    assert recipe.training.mixed_precision is True


def test_the_published_size_of_the_prototypes_is_138():
    assert YolactRecipe().replace(PROTO_OUTPUT_SIZE=138) == YolactRecipe()
    with pytest.raises(TrainingError, match='must be a multiple of 69, the side of P3 for images of 550'):
        YolactRecipe().replace(PROTO_OUTPUT_SIZE=100)
