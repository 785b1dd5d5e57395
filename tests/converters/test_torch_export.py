"""DeepMask and SharpMask to Torch's form and back."""

import chainer
import numpy as np
import pytest

import converters
from chainer_seg.errors import UserError
from chainer_seg.links import ResNet
from chainer_seg.models.deepmask import DeepMask, SharpMask
from converters.formats import torch7, torch7_writer
from converters.torch_export import torch_tree
from tests.conftest import SHARED_DATA

SMALL = {'patch_size': 32, 'blocks': (1, 2, 1), 'width': 4, 'bottleneck': 8, 'features': 16,
         'hidden': 12, 'mask_size': 10, 'dropout': 0.25, 'seed': 3}
MODELS = {
    'deepmask': lambda norm: DeepMask(target_size=20, norm=norm, **SMALL),
    'sharpmask': lambda norm: SharpMask(mask_channels=16, skip_channels=8, norm=norm, **SMALL),
}


def unlike_new(model, rng):
    """Gives every normalisation values that a new one does not have."""
    for link in model.links():
        for name in ('scale', 'shift', 'avg_mean', 'avg_var'):
            if hasattr(link, name):
                getattr(link, name)[...] = rng.uniform(0.5, 1.5, getattr(link, name).shape)
    return model


@pytest.mark.parametrize('norm', ['affine', 'batch'])
@pytest.mark.parametrize('name', MODELS)
def test_the_model_comes_back(name, norm, rng, tmp_path):
    model = unlike_new(MODELS[name](norm), rng)
    torch7_writer.write(tmp_path / 'model.t7', torch_tree(model))
    back = converters.convert(tmp_path / 'model.t7')
    assert type(back) is type(model)
    kept = {key: value for key, value in model.config.items() if key != 'seed'}
    assert {**back.config, 'blocks': tuple(back.config['blocks'])}.items() >= kept.items()
    x = rng.normal(size=(2, 3, 64, 64)).astype(np.float32)
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        for expected, found in zip(model.forward(x), back.forward(x)):
            np.testing.assert_allclose(found.array, expected.array, rtol=1e-6, atol=1e-7)


def test_a_sharpmask_without_the_deepmask_branch_comes_back(tmp_path):
    model = SharpMask(mask_channels=16, skip_channels=8, **{**SMALL, 'mask_size': None})
    torch7_writer.write(tmp_path / 'model.t7', torch_tree(model))
    assert converters.convert(tmp_path / 'model.t7').config['mask_size'] is None


def outline(node):
    """The classes of a tree of modules, nested; the layers that only copy or reshape left out."""
    name = node.class_name.replace('cudnn.', 'nn.')
    inside = node.get('modules')
    inside = inside.sequence() if inside is not None else []
    return name, [outline(each) for each in inside if each.class_name not in ('nn.Copy', 'nn.View')]


@pytest.mark.parametrize('name', ['deepmask_tiny', 'sharpmask_tiny'])
def test_the_modules_stand_as_in_genuine_files(name, shared_data):
    path = SHARED_DATA / 'formats' / 'torch7' / 'models' / f'{name}.t7'
    genuine = torch7.read(path)['model']
    ours = torch_tree(converters.convert(path))['model']
    assert ours.class_name == genuine.class_name
    branch = 'maskBranch' if name.startswith('deep') else 'maskBranchDM'
    for field in ('trunk', 'scoreBranch', branch):
        assert outline(ours[field]) == outline(genuine[field])
    for field in ('neths', 'netvs', 'refs') if name.startswith('sharp') else ():
        assert {key: outline(value) for key, value in ours[field].items()} == {
            key: outline(value) for key, value in genuine[field].items()}
        assert ours['skpos'] == genuine['skpos'].sequence()


def test_another_model_is_refused():
    with pytest.raises(UserError, match='A ResNet cannot be exported to Torch'):
        torch_tree(ResNet((1,), 4, strides=(1,), dilations=(1,)))
