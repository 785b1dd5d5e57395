"""What all recipes have in common: values that are read, written, changed and described."""

import dataclasses

import pytest

from chainer_seg.errors import TrainingError
from chainer_seg.recipes import SYSTEMS, MaskRCNNRecipe, YolactRecipe, recipe_class


@pytest.mark.parametrize('system', SYSTEMS)
def test_a_recipe_survives_its_file(system, tmp_path):
    recipe = recipe_class(system)()
    changed = recipe.replace(lr=0.25, batch_size=3)
    changed.save(tmp_path / 'own.toml')
    assert type(changed).load(tmp_path / 'own.toml') == changed != recipe


@pytest.mark.parametrize('system', SYSTEMS)
def test_every_published_recipe_can_be_read(system):
    form = recipe_class(system)
    for name in form.published():
        assert isinstance(form.load(name), form)


@pytest.mark.parametrize('system', SYSTEMS)
def test_every_field_has_a_sentence_in_the_docstring_of_its_section(system):
    for section, form in recipe_class(system).sections().items():
        text = ''.join(base.__doc__ or '' for base in form.__mro__)
        for field in dataclasses.fields(form):
            assert f'        {field.name}: ' in text, (section, field.name)


def test_replace_returns_another_recipe():
    recipe = MaskRCNNRecipe()
    other = recipe.replace(neck='fpn', min_side=[640, 800])
    assert recipe.network.neck == 'c4' and other.network.neck == 'fpn'
    assert other.samples.min_side == (640, 800)


@pytest.mark.parametrize(('values', 'message'), [
    ({'speed': 3}, "has no field 'speed'"),
    ({'lr': 'fast'}, 'training.lr: expected float, got str'),
    ({'neck': 'c5'}, "network.neck: 'c5' is none of c4, fpn"),
    ({'blocks': (1, 2)}, 'network.blocks: expected array of length 4, got 2'),
    ({'training__neck': 'fpn'}, "has no field 'training__neck'")])
def test_an_invalid_value_is_an_error(values, message):
    with pytest.raises(TrainingError) as caught:
        MaskRCNNRecipe().replace(**values)
    assert message in str(caught.value)


@pytest.mark.parametrize('system', [each for each in SYSTEMS if each != 'sharpmask'])
def test_the_blocks_of_a_stage_are_limited(system):
    stages = 3 if system == 'deepmask' else 4
    with pytest.raises(TrainingError, match=r'blocks\[1\]: expected int <= 1000'):
        recipe_class(system)().replace(blocks=(2, 2 ** 31 - 1, *[2] * (stages - 2)))


def test_a_name_in_two_sections_must_be_qualified():
    with pytest.raises(TrainingError, match='name model__rescoring or losses__rescoring'):
        YolactRecipe().replace(rescoring=3)
    assert YolactRecipe().replace(losses__rescoring=3).losses.rescoring == 3


def test_an_alias_stands_for_its_field():
    assert MaskRCNNRecipe().replace(batchsize=4).training.batch_size == 4


def test_assignments_are_written_as_in_toml_or_as_plain_text():
    recipe = YolactRecipe.load('shapes').assign(
        ['lr=3e-4', 'mirror = false', 'training.schedule=steps', 'steps=[10, 20]'])
    assert recipe.training.lr == 3e-4 and recipe.augmentation.mirror is False
    assert recipe.training.schedule == 'steps' and recipe.training.lr_step == (10, 20)
    with pytest.raises(TrainingError, match="'lr' sets nothing"):
        recipe.assign(['lr'])


def test_the_description_marks_differences_from_the_defaults():
    lines = MaskRCNNRecipe().replace(lr=0.5).describe().splitlines()
    assert any(line.split() == ['lr', '0.5', '(default:', '0.0001)'] for line in lines)
    assert any(line.split() == ['momentum', '0.9'] for line in lines)


@pytest.fixture
def own(tmp_path):
    """Writes a recipe file and returns its path."""
    def write(text):
        path = tmp_path / 'own.toml'
        path.write_text(text)
        return path
    return write


def test_a_file_contains_only_differences_from_its_base(own):
    recipe = YolactRecipe.load(own('based_on = "resnet50_pascal"\n[training]\nbatch_size = 4\n'))
    assert recipe.training.batch_size == 4 and recipe.training.iterations == 120_000
    assert recipe.model.backbone == 'resnet50'


def test_a_file_may_use_the_names_of_the_original(own):
    assert YolactRecipe.load(own('[training]\nsave_interval = 7\n')).training.snapshot_every == 7


@pytest.mark.parametrize(('text', 'message'), [
    ('[model', 'is not valid TOML'),
    ('lr = 3', 'sets lr outside of a table'),
    ('[model]\nsize = 3', 'has no setting model.size; [model] has backbone, '),
    ('[optimiser]\nlr = 3', 'has a table [optimiser]; it can have model, '),
    ('system = "deeplab"', "is for 'deeplab', not for yolact"),
    ('based_on = "nothing"', 'There is no recipe nothing; name a TOML file or one of base, ')])
def test_an_invalid_file_is_an_error(own, text, message):
    with pytest.raises(TrainingError) as caught:
        YolactRecipe.load(own(text))
    assert message in str(caught.value)


def test_a_file_based_on_itself_is_an_error(own):
    path = own('')
    path.write_text(f'based_on = "{path.as_posix()}"')
    with pytest.raises(TrainingError, match='is based on itself'):
        YolactRecipe.load(path)
