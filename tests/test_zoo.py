"""Published weights by name, from a server on this machine in place of the network."""

import contextlib
import dataclasses
import functools
import hashlib
import http.server
import shutil
import socket
import threading
import time
import zipfile

import numpy as np
import pytest

import converters
from chainer_seg import downloads, load_model, zoo
from chainer_seg.cli import main
from chainer_seg.errors import DownloadError, FolderInUseError, ModelFileError, UserError, WeightFileError
from chainer_seg.files import write_text
from chainer_seg.images import write_image
from chainer_seg.locks import sole_writer
from chainer_seg.model_file import class_of, is_model_file, save_model
from chainer_seg.models.deeplab import DeepLab
from chainer_seg.registry import MODEL_HOMES
from converters import caffe_export
from converters.formats import torch7_writer
from converters.torch_export import torch_tree

TIMEOUT = 15  # seconds within which a missing network is reported


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves the files of a folder and remembers what was asked for."""

    def do_GET(self):
        self.server.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture
def site(tmp_path):
    """The folder that the server serves; ``site.asked`` lists the paths that were asked for."""
    folder = tmp_path / 'site'
    folder.mkdir()
    handler = functools.partial(Handler, directory=folder)
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        server.asked, server.folder = [], folder
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        server.address = f'http://127.0.0.1:{server.server_port}'
        yield server
        server.shutdown()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv('CHAINER_SEG_CACHE', str(tmp_path / 'cache'))
    return tmp_path / 'cache'


def move(monkeypatch, name, url):
    """Makes ``url`` the address of published weights."""
    tables = {kind: dict(entries) for kind, entries in zoo.public_files().items()}
    tables['weights'][name] = dataclasses.replace(tables['weights'][name], url=url)
    monkeypatch.setattr(zoo, 'public_files', lambda: tables)


@pytest.fixture
def serve(site, cache, monkeypatch):
    """``serve(name, file)`` puts a file on the server as the published weights ``name``."""
    def put(name, file):
        served = site.folder / zoo.public_file('weights', name).file
        shutil.copyfile(file, served)
        write_text(f'{served}.md5sum', f'{hashlib.md5(served.read_bytes()).hexdigest()}  {served.name}\n')
        move(monkeypatch, name, f'{site.address}/{served.name}')
    return put


@pytest.fixture
def sharpmask(tmp_path):
    """The shipped SharpMask as a Torch7 file."""
    torch7_writer.write(tmp_path / 'model.t7', torch_tree(load_model('sharpmask')))
    return tmp_path / 'model.t7'


@pytest.fixture
def image(tmp_path, rng):
    write_image(tmp_path / 'image.png', rng.integers(0, 256, (64, 80, 3), np.uint8))
    return tmp_path / 'image.png'


def same_parameters(first, second):
    second = dict(second.namedparams())
    return all(np.array_equal(weights.array, second[path].array) for path, weights in first.namedparams())


@pytest.mark.parametrize('name, file', [
    ('mask-rcnn-r50-fpn-2x', 'detectron/public_mask_fpn_81.pkl'),
    ('detectron-r50', 'detectron/public_R-50_flat.pkl'), ('ritm-hrnet18s', 'ritm/hrnet_small.pth')])
def test_a_published_model_is_downloaded_converted_and_kept(serve, site, cache, shared_data, name, file):
    serve(name, shared_data / 'formats' / file)
    model = load_model(name)
    assert same_parameters(model, converters.convert(shared_data / 'formats' / file))
    assert type(model).__name__ == class_of(name)
    assert [path.name for path in cache.iterdir()] == [f'{name}.npz']
    site.asked.clear()
    assert same_parameters(load_model(name), model) and site.asked == []


def test_the_converter_gets_the_published_file_name_which_tells_yolacts_apart(serve, tmp_path, monkeypatch):
    (tmp_path / 'weights.pth').write_bytes(b'weights')
    serve('yolact-resnet50', tmp_path / 'weights.pth')
    converted = []
    monkeypatch.setattr(converters, 'convert',
                        lambda path: converted.append(path.name) or load_model('yolact'))
    assert type(load_model('yolact-resnet50')).__name__ == 'Yolact'
    assert converted == ['yolact_resnet50_54_800000.pth']


def test_weights_in_an_archive_are_unpacked(serve, cache, tmp_path):
    model = DeepLab(n_class=21, blocks=(1, 1, 1, 1), width=2)
    caffe_export.export(tmp_path / 'train2_iter_20000.caffemodel', model)
    with zipfile.ZipFile(tmp_path / 'all.zip', 'w') as archive:
        for name in ('train2_iter_20000.caffemodel', 'train2_iter_20000.prototxt'):
            archive.write(tmp_path / name, f'models/{name}')
    serve('deeplab-voc', tmp_path / 'all.zip')
    assert load_model('deeplab-voc').config['n_class'] == 21
    assert [path.name for path in cache.iterdir()] == ['deeplab-voc.npz']


def test_commands_take_the_names_of_published_weights(serve, sharpmask, image, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    serve('sharpmask-coco', sharpmask)
    main(['predict', 'sharpmask-coco', str(image), '--np', '2', '--out', 'found', '--device', 'cpu', '-q'])
    assert any((tmp_path / 'found').iterdir())
    main(['export', 'sharpmask-coco', 'again.t7', '-q'])
    assert same_parameters(converters.convert('again.t7'), load_model('sharpmask'))


def test_a_widget_takes_the_name_of_published_weights(serve, sharpmask, image):
    widgets = pytest.importorskip('chainer_seg.widgets')
    serve('sharpmask-coco', sharpmask)
    assert len(widgets.ProposalExplorer(str(image), 'sharpmask-coco', n=10)) > 0


def test_an_interrupted_download_is_resumed(serve, site, cache, sharpmask, monkeypatch):
    serve('sharpmask-coco', sharpmask)
    part = cache / 'sharpmask-coco' / 'sharpmask.t7.part'
    part.parent.mkdir(parents=True)
    part.write_bytes(sharpmask.read_bytes())  # complete, but the process was killed before it was renamed
    monkeypatch.setattr(downloads, '_fetch', lambda *arguments: None)
    assert same_parameters(load_model('sharpmask-coco'), load_model('sharpmask'))


def test_a_damaged_file_is_not_kept(serve, cache, tmp_path, sharpmask):
    (tmp_path / 'page.t7').write_text('<html>come back later</html>')
    serve('sharpmask-coco', tmp_path / 'page.t7')
    with pytest.raises(WeightFileError, match='web page'):
        load_model('sharpmask-coco')
    assert list(cache.iterdir()) == []
    serve('sharpmask-coco', sharpmask)
    assert type(load_model('sharpmask-coco')).__name__ == 'SharpMask'


def test_an_archive_without_the_weights_is_reported(serve, tmp_path):
    with zipfile.ZipFile(tmp_path / 'other.zip', 'w') as archive:
        archive.writestr('readme.txt', 'nothing here')
    serve('deeplab-voc', tmp_path / 'other.zip')
    with pytest.raises(DownloadError, match='has no train2_iter_20000.caffemodel in it'):
        load_model('deeplab-voc')


def test_two_processes_do_not_download_to_the_same_place(serve, cache, sharpmask):
    serve('sharpmask-coco', sharpmask)
    with sole_writer(cache / 'sharpmask-coco'), pytest.raises(FolderInUseError):
        load_model('sharpmask-coco')


def check_sentence(error, url, cache, name, weights):
    """The message is one sentence with the address and both commands."""
    message = str(error)
    assert message.startswith(f'{name} is not in the cache and cannot be downloaded: {url}')
    assert f'"chainer-seg download weights {name}' in message
    assert f'"chainer-seg convert downloads/weights/{weights} -o {cache / name}.npz"' in message
    assert message.count('. ') == 0 and message.endswith('.')


@pytest.mark.parametrize('name, file', [
    ('yolact-resnet50', 'yolact_resnet50_54_800000.pth'),
    ('mask-rcnn-r50-fpn-2x', 'mask-rcnn-r50-fpn-2x.pkl')])  # whose checksum is asked for first
def test_without_a_network_one_sentence_says_how_to_get_the_weights(cache, monkeypatch, name, file):
    move(monkeypatch, name, 'http://127.0.0.1:9/weights')
    with pytest.raises(DownloadError) as error:
        load_model(name)
    check_sentence(error.value, 'http://127.0.0.1:9/weights cannot', cache, name, file)


def test_the_member_of_an_archive_is_what_has_to_be_converted(cache, monkeypatch):
    move(monkeypatch, 'deeplab-voc', 'http://127.0.0.1:9/all.zip')
    with pytest.raises(DownloadError) as error:
        load_model('deeplab-voc')
    check_sentence(error.value, 'http://127.0.0.1:9/all.zip', cache, 'deeplab-voc',
                   'train2_iter_20000.caffemodel')


def test_a_file_behind_a_page_for_browsers_is_named_with_its_page(cache):
    with pytest.raises(DownloadError, match='open https://drive.google.com/.*chainer-seg convert '):
        load_model('deeplab-tensorflow')


@contextlib.contextmanager
def silent_server():
    """The port of a server that accepts connections and never answers."""
    with socket.create_server(('127.0.0.1', 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_reported_in_time(cache, monkeypatch):
    with silent_server() as port:
        move(monkeypatch, 'yolact-resnet50', f'http://127.0.0.1:{port}/weights.pth')
        start = time.monotonic()
        with pytest.raises(DownloadError, match='no answer within'):
            load_model('yolact-resnet50')
        assert time.monotonic() - start < TIMEOUT


def test_a_host_whose_name_is_not_found_in_time_is_reported(cache, monkeypatch):
    def look_up(*arguments, **options):
        time.sleep(5)
    monkeypatch.setattr(socket, 'getaddrinfo', look_up)
    monkeypatch.setattr(downloads, '_ANSWER_TIMEOUT', .1)
    with pytest.raises(DownloadError, match='no answer within 0.1 s'):
        load_model('yolact-resnet50')


def test_help_and_wrong_options_download_nothing(serve, site, sharpmask, capsys):
    serve('sharpmask-coco', sharpmask)
    with pytest.raises(SystemExit) as end:
        main(['predict', 'sharpmask-coco', '--help'])
    assert end.value.code == 0 and '--np' in capsys.readouterr().out
    with pytest.raises(UserError, match='has no option --no-such-option'):
        main(['predict', 'sharpmask-coco', 'image.png', '--no-such-option'])
    assert site.asked == []


def test_weights_of_an_unsuitable_class_are_rejected_before_they_are_downloaded(cache):
    with pytest.raises(UserError, match='detectron-r50 holds a ResNetClassifier, which'):
        main(['predict', 'detectron-r50', 'image.png'])


def test_the_class_of_published_weights_is_known_without_them(cache):
    assert class_of('mask-rcnn-r101-fpn-1x') == 'MaskRCNN' and is_model_file('mask-rcnn-r101-fpn-1x')
    assert class_of('yolact-start-darknet53') == 'YolactBackbone'
    assert not is_model_file('mask-rcnn-r101')
    assert {zoo.published_model(name).model for name in zoo.published_models()} <= {*MODEL_HOMES}


def test_no_published_weights_have_the_name_of_a_shipped_model():
    assert not {*zoo.published_models()} & {*zoo.SHIPPED}


def test_a_file_of_that_name_comes_first(cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_model('deeplab-voc', DeepLab(n_class=3, blocks=(1, 1, 1, 1), width=2))
    assert load_model('deeplab-voc').config['n_class'] == 3 and class_of('deeplab-voc') == 'DeepLab'


def test_the_nearest_name_is_suggested(cache):
    with pytest.raises(ModelFileError, match='no model file yolact-resnet5; did you mean yolact-resnet50'):
        load_model('yolact-resnet5')


@pytest.mark.parametrize('platform, variables, folder', [
    ('linux', {}, '.cache'), ('linux', {'XDG_CACHE_HOME': '/caches'}, '/caches'),
    ('darwin', {}, 'Library/Caches'), ('win32', {}, 'AppData/Local'),
    ('win32', {'LOCALAPPDATA': '/local'}, '/local')])
def test_the_cache_is_where_each_system_keeps_caches(monkeypatch, tmp_path, platform, variables, folder):
    for name in ('CHAINER_SEG_CACHE', 'XDG_CACHE_HOME', 'LOCALAPPDATA'):
        monkeypatch.delenv(name, raising=False)
    for name, value in {'HOME': str(tmp_path), **variables}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(zoo.sys, 'platform', platform)
    assert zoo.cached_model('yolact-base') == tmp_path / folder / 'chainer_seg' / 'yolact-base.npz'
