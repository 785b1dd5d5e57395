"""What every model has from its base: its configuration, names, origin, and finite outputs."""

import copy

import numpy as np
import pytest

from chainer_seg.errors import ModelError
from chainer_seg.links import DeviceChain
from chainer_seg.models.base import Model
from chainer_seg.registry import MODEL_HOMES, model_class


class Toy(Model):

    def __init__(self, width: int = 3, blocks=(1, 2), *, seed=0):
        super().__init__()
        self.width = width


class WiderToy(Toy):

    def __init__(self, factor=2):
        super().__init__(width=3 * factor)


class OtherToy(Toy):
    pass


def test_config_has_all_arguments_in_constructor_order():
    model = Toy(seed=4, blocks=[5])
    assert list(model.config.items()) == [('width', 3), ('blocks', [5]), ('seed', 4)]
    assert Toy(7).config == {'width': 7, 'blocks': (1, 2), 'seed': 0}


def test_config_is_that_of_the_class_that_was_constructed():
    model = WiderToy(5)
    assert (model.config, model.width) == ({'factor': 5}, 15)
    assert OtherToy(8).config == {'width': 8, 'blocks': (1, 2), 'seed': 0}


def test_config_is_available_in_the_constructor():
    class Early(Model):
        def __init__(self, side=2):
            self.side = self.config['side']
            super().__init__()
    assert Early(4).side == 4


def test_unknown_arguments_are_a_type_error():
    with pytest.raises(TypeError, match='depth'):
        Toy(depth=3)


def test_copies_keep_config_without_sharing_it():
    model = Toy(4)
    clone = copy.deepcopy(model)
    clone.config['width'] = 5
    assert model.config['width'] == 4


def test_a_new_model_has_neither_class_names_nor_an_origin():
    assert (Toy().class_names, Toy().origin) == ((), None)


@pytest.mark.parametrize('name', MODEL_HOMES)
def test_every_class_of_model_files_is_a_model(name):
    assert issubclass(model_class(name), Model) and issubclass(Model, DeviceChain)


def test_only_outputs_that_are_not_finite_are_an_error():
    Toy().check_finite(np.ones(3, np.float32), (np.zeros(2, np.float32),))
    with pytest.raises(ModelError, match='The Toy returned NaN or infinite values: numbers overflow'):
        Toy().check_finite(np.array([0, np.nan], np.float32))
