"""chainer-seg propose in this process: any data set, drawings, times; patches, and a sample image."""

import numpy as np
import pytest
from PIL import Image

from chainer_seg import load_model
from chainer_seg.cli import main
from chainer_seg.datasets import CocoDataset, read_proposals
from chainer_seg.datasets.object_index import ObjectIndex
from chainer_seg.evaluation import evaluate_patches
from chainer_seg.models.deepmask.stage_times import STAGES, StageTimes
from tests.datasets.voc_files import write_voc
from tests.scripts.small_sharpmask import write_small_sharpmask


@pytest.fixture(scope='module')
def inputs(tmp_path_factory):
    """A folder with a small SharpMask, two synthetic images, and two of VOC."""
    folder = tmp_path_factory.mktemp('inputs')
    write_small_sharpmask(folder, 2)
    write_voc(folder / 'voc')
    return folder


def propose(inputs, out, *options, annotations=None):
    data = annotations or (inputs / 'data' / 'annotations.json', '--images', inputs / 'data' / 'images')
    main(['propose', str(inputs / 'model.npz'), '--annotations', *map(str, data), '--out', str(out),
          '--np', '9', '--device', 'cpu', *map(str, options)])


def test_a_list_of_voc_has_proposals(inputs, tmp_path):
    propose(inputs, tmp_path / 'out', annotations=[
        inputs / 'voc' / 'ImageSets' / 'Segmentation' / 'train.txt'])
    found = dict(read_proposals(tmp_path / 'out'))
    assert list(found) == ['2007_000001', '2007_000002']
    assert found['2007_000001'][0]['segmentation']['size'] == [20, 30]


def test_the_threshold_of_masks_is_that_of_the_option(inputs, tmp_path):
    propose(inputs, tmp_path / 'out', '-thr', 0.5)
    image = CocoDataset(inputs / 'data' / 'annotations.json', inputs / 'data' / 'images').read_image(0)
    expected = load_model(inputs / 'model.npz').propose_rle(image, n=9, threshold=0.5).codes
    _, first = next(read_proposals(tmp_path / 'out'))
    assert [result['segmentation'] for result in first] == expected


def test_pictures_and_times_are_those_of_the_images(inputs, tmp_path, capsys):
    propose(inputs, tmp_path / 'out', '--save', '--timer')
    dataset = CocoDataset(inputs / 'data' / 'annotations.json', inputs / 'data' / 'images')
    for number in (0, 1):
        drawn = np.asarray(Image.open(tmp_path / 'out' / 'res' / f'{number + 1}.jpg'))
        image = dataset.read_image(number)
        assert drawn.shape == image.shape and (np.abs(drawn.astype(int) - image) > 40).any()
    line = next(line for line in capsys.readouterr().out.splitlines() if 'milliseconds' in line)
    assert all(f'{stage} ' in line for stage in (*STAGES, 'total'))


def test_times_of_the_stages_add_up_to_what_proposing_takes(inputs, monkeypatch):
    """By a clock that each look at it moves on by one second; pasting is without the masks it waits for."""
    model = load_model(inputs / 'model.npz')
    ticks = iter(range(10 ** 6))
    monkeypatch.setattr('chainer_seg.models.deepmask.stage_times.time.perf_counter', lambda: next(ticks))
    with StageTimes().watching(model) as times:
        model.propose_rle(np.zeros((40, 60, 3), np.uint8), n=40, scales=(0.5, 1))
        batches = times.seconds['masks']
    assert times.images == 1 and times.seconds['network'] == 2  # levels
    assert times.seconds['pyramid'] == 1 and batches >= 1
    assert times.seconds['pasting'] == 1 + batches  # two looks for each batch, one of them its own second
    assert 'prepare' not in vars(model)


def test_without_an_input_a_sample_image_has_five_proposals(inputs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main(['predict', str(inputs / 'model.npz'), '--device', 'cpu', '-q'])
    assert {'sample.png', 'sample.json', 'sample_overlay.png'} <= {
        path.name for path in (tmp_path / 'out' / 'predict').iterdir()}


def test_patches_are_drawn_with_their_truth_beside_the_prediction(inputs, tmp_path, capsys):
    main(['evaluate', str(inputs / 'model.npz'), '--protocol', 'patch', '--patches', '3', '--device', 'cpu',
          '--annotations', str(inputs / 'data' / 'annotations.json'), '--images',
          str(inputs / 'data' / 'images'), '--save', str(tmp_path / 'patches'), '-q'])
    assert '3 patches, ' in capsys.readouterr().out
    drawn = np.asarray(Image.open(tmp_path / 'patches' / '1.jpg')).astype(int)
    side = load_model(inputs / 'model.npz').target_size
    assert drawn.shape == (3 * side, 2 * side, 3)
    model = load_model(inputs / 'model.npz')
    dataset = CocoDataset(inputs / 'data' / 'annotations.json', inputs / 'data' / 'images')
    batches = []
    evaluate_patches(model, ObjectIndex(dataset), 3, on_masks=lambda *batch: batches.append(batch))
    images, truth, probability = batches[0]
    assert images.shape == (3, 32, 32, 3) and truth.dtype == bool
    assert ((probability >= 0) & (probability <= 1)).all()


def test_the_published_numbers_are_the_defaults(capsys):
    for words, number in ((('propose',), 'Number of proposals per image. (default: 500)'),
                          (('evaluate', 'deepmask', '--protocol', 'patch'), '(default: 6400)')):
        with pytest.raises(SystemExit):
            main([*words, '--help'])
        assert number in ' '.join(capsys.readouterr().out.split()).replace('│ │ ', '')
