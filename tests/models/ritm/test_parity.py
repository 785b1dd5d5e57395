"""RITM's networks against recorded runs of the original: every stage, every box, every probability.

``pytest -s`` prints the table of all differences.
"""

import functools

import numpy as np
import pytest

from tests.models.ritm import reference

pytest.importorskip('converters')

# Of the largest value of an array.
TOLERANCE = 1e-4

RUNS = [(name, mode) for name, modes in {
    'hrnet_small': ('plain', 'cvpr', 'zoom', 'fixed', 'recheck', 'limit', 'limit2', 'mask'),
    'hrnet_full': ('plain', 'cvpr', 'fixed'), 'hrnet_rgb': ('plain', 'cvpr', 'limit'),
    'deeplab': ('plain', 'cvpr', 'square320'), 'deeplab_rgb': ('plain', 'cvpr'),
    'fullwidth_hrnet18s': ('plain', 'published')}.items() for mode in modes]
EVERY_RUN = pytest.mark.parametrize('name, mode', RUNS)


@functools.cache
def computed(name, mode):
    """The inputs, the boxes, the sampled stages and the results of a run, without its large arrays."""
    model, recorder, results = reference.run(name, mode)
    stages = [{key: compared(name, mode, key, number, array)
               for key, array in recorder.stages(number).items()
               if f'{mode}_{key}_sample' in reference.recorded(name)}
              for number in range(len(recorder.runs))]
    recorder.runs.clear()  # The model refers to the recorder, whose stages take gigabytes.
    return model.mask_input, recorder.inputs, recorder.boxes, stages, results


def compared(name, mode, key, number, array):
    """The largest difference from the recorded values of a stage, of its largest value."""
    sample = values(name, mode, f'{key}_sample')[number]
    assert array.size == np.prod(values(name, mode, f'{key}_shape')[number])
    return np.abs(reference.sampled(array, sample.size) - sample).max() / np.abs(array).max()


@pytest.fixture(autouse=True)
def data(shared_data):
    """Skips where the recordings are missing."""


def values(name, mode, key):
    return reference.recorded(name)[f'{mode}_{key}']


@EVERY_RUN
def test_network_runs_as_often_on_the_same_boxes_and_sizes(name, mode):
    _, inputs, boxes, _, results = computed(name, mode)
    assert [count for *_, count in results] == values(name, mode, 'calls_per_click').tolist()
    # The recordings give the limit of the longest side, a crop of the whole image, a box, too.
    none = (0, 119, 0, 159) if mode == 'limit' else (-1,) * 4
    found = [none if box is None else box for box in boxes]
    assert [list(box) for box in found] == values(name, mode, 'roi').tolist()
    shapes = [(len(x), *x.shape[2:]) for x in inputs]
    recorded = values(name, mode, 'input_shape')
    assert shapes == [tuple(shape) for shape in recorded[:, [0, 2, 3]].tolist()]


@EVERY_RUN
def test_network_gets_the_same_input(name, mode):
    mask_input, inputs, *_ = computed(name, mode)
    mean, std = (np.array(each, np.float32)[:, None, None] for each in (
        (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    for number, x in enumerate(inputs):
        parts = {'image': x[:, :3] * std + mean, 'coords': x[:, -2:]}
        if mask_input:
            parts['prev'] = x[:, 3:4]
        for key, array in parts.items():
            sample = values(name, mode, f'{key}_sample')[number]
            np.testing.assert_allclose(reference.sampled(array, sample.size), sample, atol=2e-5)
        total = values(name, mode, 'coords_sum')[number]
        np.testing.assert_allclose(x[:, -2:].sum(dtype=np.float64), total, rtol=1e-5)


@EVERY_RUN
def test_every_stage_is_equal(name, mode):
    _, _, _, stages, _ = computed(name, mode)
    found = {key: max(stage.get(key, 0) for stage in stages) for key in stages[0]}
    for key, value in found.items():
        print(f'{name:20} {mode:10} {key:15} {value:.1e}')
    known = {key.removeprefix(f'{mode}_').removesuffix('_sample') for key in reference.recorded(name)
             if key.startswith(f'{mode}_') and key.endswith('_sample')}
    assert found.keys() == known - {'image', 'prev', 'coords'}
    assert {key: value for key, value in found.items() if not value < TOLERANCE} == {}


@EVERY_RUN
def test_probability_after_every_click_is_equal(name, mode):
    *_, results = computed(name, mode)
    step = 3 if mode == 'plain' else 4
    for number, (_, probability, _) in enumerate(results):
        wanted = values(name, mode, 'prob_u16')[number] / 65535
        difference = np.abs(probability[::step, ::step] - wanted).max()
        print(f'{name:20} {mode:10} click {number + 1} {difference:.1e}')
        assert difference < TOLERANCE
        mask = np.unpackbits(values(name, mode, 'mask_bits')[number], axis=1)[:, :probability.shape[1]]
        assert ((probability > 0.5) != mask).sum() <= 2


@pytest.mark.parametrize('name', reference.NAMES)
def test_formula_gives_the_recorded_weights(name):
    recorded, weights = reference.recorded(name), reference.tree_of(name)['state_dict']
    for number, key in enumerate(recorded['weight_check_names'].tolist()):
        first = recorded[f'weight_check{number}']
        np.testing.assert_array_equal(weights[key].ravel()[:len(first)], first)
    total = sum(np.abs(each.astype(np.float64)).sum() for each in weights.values() if each.dtype.kind == 'f')
    np.testing.assert_allclose(total, recorded['sum_abs_all_float_weights'], rtol=1e-9)
