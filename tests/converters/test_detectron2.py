"""Files of Detectron2, compared with what Detectron2 computes (data/make_detectron2.py)."""

import lzma
import pathlib
import pickle

import numpy as np
import pytest

import converters
from chainer_seg import load_model, save_model
from chainer_seg.errors import WeightFileError
from chainer_seg.models.inference import inference
from converters.formats import detectron

FOLDER = pathlib.Path(__file__).parent / 'data'
SETTINGS = {'min_side': 160, 'max_side': 267, 'proposals': 60, 'proposals_before_nms': 200}
XYXY = [1, 0, 3, 2]
FILES = {'c4': 'detectron2_c4.pth', 'fpn': 'detectron2_fpn.pkl', 'resnext': 'detectron2_resnext.pkl',
         'keypoints': 'detectron2_keypoints.pkl'}


def unpacked(kind, folder):
    path = folder / FILES[kind]
    path.write_bytes(lzma.decompress((FOLDER / f'{FILES[kind]}.xz').read_bytes()))
    return path


@pytest.fixture(params=FILES)
def case(request, tmp_path):
    """A model of each kind, and what Detectron2 computes with it."""
    with np.load(FOLDER / f'detectron2_{request.param}.npz') as recorded:
        yield converters.convert(unpacked(request.param, tmp_path), SETTINGS), dict(recorded)


def assert_near(found, expected, tolerance=1e-4):
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def test_proposals_and_outputs_of_the_heads_are_those_of_detectron2(case):
    model, recorded = case
    with inference():
        x, [size] = model.prepare([recorded['image']])
        features, objectness, deltas = model.forward(x)
        rois, _ = model.propose(objectness, deltas, [size.inner])
        half_open = rois + [0, 0, 1, 1]
        assert_near(half_open[:, XYXY], recorded['proposals'])
        logits, moves = model.box_head(features, rois, np.zeros(len(rois), np.int32))
    assert_near(np.roll(logits.array, -1, axis=1), recorded['logits'])  # There the background is last.
    groups = moves.array.reshape(len(rois), -1, 4)[:, 1:, XYXY]
    assert_near(groups.reshape(len(rois), -1), recorded['deltas'])


def test_objects_are_those_of_detectron2(case):
    model, recorded = case
    found = model.detect(recorded['image'])
    order = np.argsort(-found.scores, kind='stable')
    assert len(found) == len(recorded['scores']) >= 15
    assert_near(found.scores[order], recorded['scores'])
    np.testing.assert_array_equal(found.labels[order], recorded['labels'])
    np.testing.assert_allclose(found.bboxes[order][:, XYXY], recorded['boxes'], atol=2e-3)
    if model.keypoints:
        # COCO counts pixels from their centres, Detectron2 from their edges.
        keypoints = found.keypoints[order][:, :, [1, 0, 2]] + [0.5, 0.5, 0]
        np.testing.assert_allclose(keypoints[:, :, :2], recorded['keypoints'][:, :, :2], atol=2e-3)
        return
    masks = np.unpackbits(recorded['masks'], axis=-1, count=recorded['image'].shape[1]).astype(bool)
    # A pixel whose centre is on the edge of its mask may fall on either side.
    assert np.count_nonzero(found.masks[order] != masks) <= 3 < np.count_nonzero(masks) / 100


def test_the_geometry_is_saved_with_the_model(case, tmp_path):
    model, recorded = case
    save_model(tmp_path / 'model.npz', model)
    loaded = load_model(tmp_path / 'model.npz')
    assert loaded.config['geometry'] == 'detectron2' and loaded.config['sampling_ratio'] == 0
    np.testing.assert_array_equal(loaded.detect(recorded['image']).bboxes,
                                  model.detect(recorded['image']).bboxes)


def tree_of(kind='fpn'):
    return pickle.loads(lzma.decompress((FOLDER / f'{FILES[kind]}.xz').read_bytes()))


@pytest.fixture
def convert(tmp_path):
    """Converts the FPN's arrays after a change: ``convert(change, config, skip)``."""
    def run(change, config=None, skip=()):
        tree = tree_of()
        change(tree['model'])
        (tmp_path / 'a.pkl').write_bytes(pickle.dumps(tree))
        return converters.convert(tmp_path / 'a.pkl', config, skip=skip)
    return run


def test_the_file_of_the_zoo_is_read_as_arrays(tmp_path):
    tree = detectron.read(unpacked('fpn', tmp_path))
    assert tree['cfg'] is None
    assert tree['blobs']['backbone.bottom_up.stem.conv1.weight'].shape == (4, 3, 7, 7)
    assert converters.inspect(tmp_path / FILES['fpn']).network == 'Mask R-CNN of Detectron2'


def test_sizes_and_assumptions_are_recorded(case):
    model, _ = case
    groups = model.config.get('groups', 1)
    assert model.config['stride_on'] == ('3x3' if groups == 4 else '1x1')
    assert model.classes == (1 if model.keypoints else 3) and model.config['blocks'] == [3, 4, 6, 3]
    assert any('published test settings' in each for each in model.origin['assumed'])


def test_the_deviations_of_colours_are_those_of_the_file_or_of_resnexts(tmp_path):
    tree = tree_of('resnext')
    found = converters.convert(unpacked('resnext', tmp_path))
    for name in ('pixel_mean', 'pixel_std'):
        del tree['model'][name]
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps(tree))
    assumed = converters.convert(tmp_path / 'a.pkl')
    weights = [model.extractor.resnet.stem.conv.W.array for model in (found, assumed)]
    np.testing.assert_allclose(*weights, rtol=1e-6)
    assert any('deviations of the colours' in each for each in assumed.origin['assumed'])
    tree['model']['pixel_std'] = np.full((3, 1, 1), 2, np.float32)
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps(tree))
    halved = converters.convert(tmp_path / 'a.pkl').extractor.resnet.stem.conv.W.array
    np.testing.assert_allclose(
        2 * halved, tree['model']['backbone.bottom_up.stem.conv1.weight'], rtol=1e-6)


def test_a_detector_without_masks_is_read(convert):
    def drop(arrays):
        for name in [name for name in arrays if 'mask_head' in name]:
            del arrays[name]
    model = convert(drop, SETTINGS)
    with np.load(FOLDER / 'detectron2_fpn.npz') as recorded:
        assert not model.with_masks and len(model.detect(recorded['image'])) == len(recorded['scores'])


@pytest.mark.parametrize('name, what', [
    ('roi_heads.box_head.0.fc1.weight', 'a cascade of box heads'),
    ('roi_heads.box_head.conv1.weight', 'a box head with convolutions'),
    ('sem_seg_head.predictor.weight', 'a semantic head'),
    ('head.cls_subnet.0.weight', 'a RetinaNet'),
    ('backbone.bottom_up.res3.0.conv2_offset.weight', 'deformable convolutions')])
def test_other_networks_are_named(convert, name, what):
    with pytest.raises(WeightFileError, match=f'it has {what}'):
        convert(lambda arrays: arrays.update({name: np.zeros((2, 2, 1, 1), np.float32)}))


def without_statistics(arrays):
    for name in [name for name in arrays if 'running' in name]:
        del arrays[name]


def replaced(name, value):
    return lambda arrays: arrays.update({name: np.asarray(value, np.float32)})


@pytest.mark.parametrize('change, problem', [
    (without_statistics, 'it has group normalisation'),
    (lambda arrays: arrays.pop('roi_heads.box_head.fc2.bias'), 'it has no roi_heads.box_head.fc2.bias'),
    (lambda arrays: arrays.update(extra=np.zeros(3, np.float32)), 'no place for: extra'),
    (replaced('pixel_mean', np.full((3, 1, 1), 127)), r'pixel_mean is \[127'),
    (replaced('proposal_generator.anchor_generator.cell_anchors.1', np.zeros((3, 4))), 'its anchors have'),
    (replaced('roi_heads.box_predictor.bbox_pred.weight', np.zeros((4, 8))),
     'bbox_pred.weight has the shape'),
    (replaced('roi_heads.mask_head.predictor.weight', np.zeros((1, 4, 1, 1))),
     'predictor.weight has the shape')])
def test_what_does_not_fit_is_one_sentence(convert, change, problem):
    with pytest.raises(WeightFileError, match=problem) as caught:
        convert(change)
    assert str(caught.value).count('. ') == 0
