"""Experiment files: the published ones, files of one's own, and single settings changed."""

import tracemalloc

import pytest

from chainer_seg import training
from chainer_seg.errors import TrainingError
from chainer_seg.models.yolact import Yolact
from chainer_seg.models.yolact.experiments import FOLDER, experiment_names, read_experiment
from chainer_seg.models.yolact.train_chain import PUBLISHED_WEIGHTS
from tests.models.yolact.toys import SMALL

PUBLISHED = ('base', 'darknet53', 'im400', 'im700', 'plus_base', 'plus_resnet50', 'resnet50',
             'resnet50_pascal')


@pytest.fixture
def own(tmp_path):
    """Writes an experiment file and returns its path."""
    def write(text):
        path = tmp_path / 'own.toml'
        path.write_text(text)
        return path
    return write


def test_the_published_experiments_and_a_template_are_there():
    assert {*PUBLISHED, 'template', 'shapes'} <= set(experiment_names())


@pytest.mark.parametrize('name', PUBLISHED)
def test_the_published_network_can_be_built(name):
    """A tenth of the width, so that it takes no time; all other sizes are the published ones."""
    experiment = read_experiment(name)
    experiment.assign(['width=4', 'fpn_channels=8', 'prototypes=4'])
    model = experiment.make_model(['cat', 'dog'])
    assert model.class_names == ('cat', 'dog')
    # Three or nine at each place of maps of sides 69, 35, 18, 9, 5; of 50, ..., 4 and of 88, ..., 6.
    assert len(model.anchors()) == {'im400': 10077, 'im700': 30963, 'plus_base': 57744,
                                    'plus_resnet50': 57744}.get(name, 19248)


def test_the_published_training_is_that_of_the_paper():
    experiment = read_experiment('base')
    rates = [1e-3 * experiment.make_schedule()(iteration, 800_000)
             for iteration in (0, 250, 500, 280_000, 600_000, 700_000, 750_000)]
    assert rates == pytest.approx([1e-4, 5.5e-4, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7])
    settings = experiment['training']
    assert (settings['lr'], settings['momentum'], settings['weight_decay']) == (1e-3, 0.9, 5e-4)
    assert settings['batch_size'] == 8 and settings['keep_last'] == 5
    chain = experiment.make_train_chain(Yolact(**SMALL), 8)
    assert chain.weights == PUBLISHED_WEIGHTS


@pytest.mark.parametrize(('batch', 'frozen'), [(5, True), (6, False)])
def test_normalisation_is_frozen_below_six_images(batch, frozen):
    chain = read_experiment('base').make_train_chain(Yolact(**SMALL), batch)
    assert chain.freeze_norm is frozen


def test_an_own_file_says_only_what_differs(own):
    experiment = read_experiment(own('based_on = "resnet50_pascal"\n[training]\nbatch_size = 4\n'))
    assert experiment['training']['batch_size'] == 4
    assert experiment['training']['iterations'] == 120_000
    assert experiment['model']['backbone'] == 'resnet50'


def test_what_the_model_takes_beyond_the_base_can_be_set(own):
    experiment = read_experiment(own('[model]\nwidth = 16\nblocks = [2, 2, 3, 2]\n'))
    assert experiment['model']['blocks'] == [2, 2, 3, 2]


def test_settings_are_changed_by_their_names():
    experiment = read_experiment('shapes')
    experiment.assign(['lr=3e-4', 'mirror = false', 'training.schedule=steps', 'steps=[10, 20]'])
    assert experiment['training']['lr'] == 3e-4 and experiment['augmentation']['mirror'] is False
    assert isinstance(experiment.make_schedule().then, training.Steps)


@pytest.mark.parametrize(('assignment', 'message'), [
    ('speed=3', "There is no setting 'speed'; there are model: "),
    ('training.mirror=true', "There is no setting 'training.mirror'"),
    ('model.classes=3', "There is no setting 'model.classes'"),
    ('lr', "'lr' sets nothing; write it as key=value"),
    ('lr=fast', 'The setting training.lr is not what it should be: expected int | float, got str'),
    ('mirror=1', 'augmentation.mirror is not what it should be: expected bool, got int'),
    ('steps=100', 'training.steps is not what it should be: expected array, got int'),
])
def test_what_cannot_be_set_is_told(assignment, message):
    with pytest.raises(TrainingError) as caught:
        read_experiment('base').assign([assignment])
    assert message in str(caught.value)


@pytest.mark.parametrize(('text', 'message'), [
    ('[model', 'is not valid TOML'),
    ('lr = 3', 'sets lr outside of a table'),
    ('[model]\nsize = 3', "There is no setting 'model.size'"),
    ('[optimiser]\nlr = 3', "There is no setting 'optimiser.lr'"),
    ('based_on = "nothing"', 'There is no experiment nothing; name a TOML file or one of base, '),
])
def test_a_file_that_makes_no_sense_is_told(own, text, message):
    with pytest.raises(TrainingError) as caught:
        read_experiment(own(text))
    assert message in str(caught.value)


def test_a_file_based_on_itself_is_told(own):
    path = own('')
    path.write_text(f'based_on = "{path.as_posix()}"')
    with pytest.raises(TrainingError, match='is based on itself'):
        read_experiment(path)


@pytest.mark.parametrize('assignment', ['backbone=resnet18', 'anchor_scales=[[1], [2]]'])
def test_a_network_that_cannot_be_built_is_told(assignment):
    experiment = read_experiment('base')
    experiment.assign([assignment])
    with pytest.raises(TrainingError, match='The .model. of the experiment cannot be built'):
        experiment.make_model(['cat'])


def test_an_unknown_schedule_is_told():
    with pytest.raises(TrainingError, match="'linear' is none of steps, cosine, constant"):
        read_experiment('base').assign(['schedule=linear'])


@pytest.mark.parametrize('text', [
    '[model]\nfpn_channels = 60000', '[model]\nwidth = 30000', '[model]\nblocks = [900, 900, 900, 900]'])
def test_a_network_that_would_fill_the_memory_is_not_built(own, text):
    tracemalloc.start()
    with pytest.raises(TrainingError, match='has more than 268,435,456 parameters'):
        read_experiment(own(text)).make_model(['cat'])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.1e9 * 2  # Zeros that nobody writes to: claimed, but not taken.


@pytest.mark.parametrize('text', [
    'based_on = 3', 'based_on = "/dev/zero"', '[model]\nimage_size = 100000',
    '[model]\nimage_size = "big"', '[samples]\nmax_objects = -1',
    '[model]\nanchor_scales = 3', '[model]\ntop_k = 1_000_000', '[model]\nmax_detections = 10_000_000',
    '[matching]\npositive = nan', '[losses]\nmasks = "many"', '[losses]\nmax_masks = 1_000_000_000',
    '[augmentation]\ncontrast = 1', '[augmentation]\ncontrast = [1, 2, 3]',
    '[augmentation]\nlargest_canvas = 1000', '[augmentation]\nleast_crop = 0',
    '[training]\nbatch_size = 1_000_000_000', '[training]\nsteps = [1.5]', '[training]\nlr = inf',
    '[training]\noptimizer = "lbfgs"', '[training]\niterations = 0', 'training = 3',
    '[training]\nlr = 1979-05-27', '[model]\nrescoring = [[8]]', 'a = ' + '[' * 5000, 'x = "\x00"'])
def test_settings_that_cannot_be_are_told_where_they_are_read(own, text):
    with pytest.raises(TrainingError):
        read_experiment(own(text))


def test_whole_numbers_may_be_written_as_floats(own):
    assert read_experiment(own('[training]\niterations = 1e4'))['training']['iterations'] == 10_000


def test_the_sizes_of_a_model_are_taken_over():
    experiment = read_experiment('base')
    experiment.take_model(Yolact(**SMALL))
    model = experiment.make_model(['one', 'two'], seed=3)
    assert model.classes == 2 and model.config['seed'] == 3
    assert {**model.config, 'classes': 0, 'seed': 0} == {
        **Yolact(**SMALL).config, 'classes': 0, 'seed': 0}


def test_every_setting_of_the_base_has_a_use(own):
    """Each key of base.toml is taken by what is made of its table."""
    experiment = read_experiment('base')
    model = Yolact(**SMALL)
    assert experiment.make_samples(model).max_objects == 100
    chain = experiment.make_train_chain(model, 8)
    assert (chain.thresholds.crowd, chain.negative_ratio, chain.max_masks) == (0.7, 3, 100)
    assert (FOLDER / 'base.toml').read_text().count('\n[') == len(experiment.tables)
