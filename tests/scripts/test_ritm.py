"""The commands with a converted RITM network: convert, predict, evaluate on a benchmark, refine, zoom."""

import numpy as np
import pytest
from PIL import Image

from chainer_seg import load_model
from chainer_seg.datasets.click_files import write_maps
from chainer_seg.images import read_image
from chainer_seg.models.deeplab import Click
from chainer_seg.models.deeplab.graph_cut import graph_cut
from chainer_seg.models.deeplab.precomputed_clicks import maps_of_clicks
from tests.models.ritm import reference

CLICKS = [Click(60, 50), Click(62, 92, False)]
POINTS = ('--pos', '50,60', '--neg', '92,62')


@pytest.fixture
def command(call_here, tmp_path, monkeypatch, shared_data):
    """``command(script, ...) -> what is printed``, beside a converted network and an image."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        status, output, errors = call_here(*map(str, arguments), '-q')
        assert status == 0, errors
        return output
    call('convert.py', reference.path_of('hrnet_small'), '-o', 'ritm.npz')
    Image.fromarray(reference.image()).save('a.png')
    return call


def found(name='a'):
    return np.asarray(Image.open(f'o/{name}_probability.png')) / 255


def test_predict_gives_the_probability_of_the_session(command):
    command('predict.py', 'ritm.npz', 'a.png', '--out', 'o', *POINTS)
    wanted = load_model('ritm.npz').segment(read_image('a.png'), CLICKS)
    np.testing.assert_allclose(found(), wanted, atol=0.51 / 255)


def test_predict_without_zoom_in_and_flip(command):
    command('predict.py', 'ritm.npz', 'a.png', '--out', 'o', *POINTS, '--zoom-side', '0', '--no-flip')
    recorded = reference.recorded('hrnet_small')['plain_prob_u16'][1] / 65535
    np.testing.assert_allclose(found()[::3, ::3], recorded, atol=0.6 / 255)


def test_predict_takes_the_clicks_of_precomputed_maps(command):
    write_maps('maps.tif', maps_of_clicks(CLICKS, (120, 160)))
    command('predict.py', 'ritm.npz', 'a.png', '--out', 'o', '--pnmap', 'maps.tif')
    wanted = load_model('ritm.npz').segment(read_image('a.png'), CLICKS)
    np.testing.assert_allclose(found(), wanted, atol=0.51 / 255)


def test_predict_refines_by_a_graph_cut(command):
    pytest.importorskip('maxflow')
    command('predict.py', 'ritm.npz', 'a.png', '--out', 'o', *POINTS, '--refine', 'graphcut')
    image = read_image('a.png')
    wanted = graph_cut(image, load_model('ritm.npz').segment(image, CLICKS), CLICKS)
    np.testing.assert_allclose(found(), wanted, atol=0.51 / 255)


@pytest.mark.parametrize('benchmark', ['grabcut', 'davis'])
def test_evaluate_on_a_benchmark(command, tmp_path, benchmark):
    for kind, pixels in (('images', reference.image()), ('masks', np.array(Image.open(
            reference.FOLDER / 'mask.png')))):
        (tmp_path / kind).mkdir()
        Image.fromarray(pixels[:, 20:]).save(tmp_path / kind / 'p.png')
    output = command('evaluate.py', 'ritm.npz', '--benchmark', benchmark, '--images', 'images', '--masks',
                     'masks', '--cap', '2', '--clicks', '1', '2', '--zoom-side', '48', '--no-flip')
    row = next(line for line in output.splitlines() if 'ritm.npz' in line).split('|')
    assert float(row[2]) == 2 and 0 < float(row[4]) < 1


def test_predict_with_fbrs(command):
    command('predict.py', 'ritm.npz', 'a.png', '--out', 'o', *POINTS, '--fbrs', '--zoom-side', '0')
    model = load_model('ritm.npz')
    model.fbrs, model.zoom_side = True, None
    np.testing.assert_allclose(found(), model.segment(read_image('a.png'), CLICKS), atol=0.51 / 255)


def test_fbrs_is_refused_for_another_click_model(call_here, tmp_path):
    Image.fromarray(np.zeros((40, 50, 3), np.uint8)).save(tmp_path / 'a.png')
    status, _, errors = call_here('predict.py', 'click', str(tmp_path / 'a.png'), '--pos', '5,5', '--fbrs',
                                  '--out', str(tmp_path / 'o'), '-q')
    assert status == 2
    assert '--fbrs is a refinement of RITM models, but click holds a ClickSegmenter; omit it.' in errors


def test_predict_shows_the_network_only_the_first_clicks(command):
    command('predict.py', 'ritm.npz', 'a.png', '--out', 'o', *POINTS, '--click-limit', '1')
    model = load_model('ritm.npz')
    model.click_limit = 1
    limited = model.segment(read_image('a.png'), CLICKS)
    np.testing.assert_allclose(found(), limited, atol=0.51 / 255)
    assert np.abs(limited - load_model('ritm.npz').segment(read_image('a.png'), CLICKS)).max() > 0.01


def test_a_click_limit_is_refused_for_a_model_that_sees_all_clicks(call_here, tmp_path):
    Image.fromarray(np.zeros((40, 50, 3), np.uint8)).save(tmp_path / 'a.png')
    status, _, errors = call_here('predict.py', 'click', str(tmp_path / 'a.png'), '--pos', '5,5',
                                  '--click-limit', '3', '--out', str(tmp_path / 'o'), '-q')
    assert status == 2
    assert errors == 'error: --click-limit does not apply to click, a ClickSegmenter; omit it.\n'
