"""The weight converter from Python's side: what is shown of a file, what is written, what fails."""

import datetime
import pathlib
import threading

import numpy as np
import pytest

pytest.importorskip('anywidget')

import ipywidgets  # noqa: E402

import chainer_seg  # noqa: E402
import chainer  # noqa: E402
from chainer_seg.errors import UserError, WeightFileError  # noqa: E402
from chainer_seg.widgets import WeightConverter  # noqa: E402
from chainer_seg.widgets.file_link import file_link  # noqa: E402
from converters.formats import torch7_writer  # noqa: E402
from tests.converters.torch_networks import resnet  # noqa: E402


@pytest.fixture
def folder(tmp_path, monkeypatch, rng):
    """The working folder, with weights/resnet.t7 and a file that is no network."""
    monkeypatch.chdir(tmp_path)
    torch7_writer.write(tmp_path / 'weights' / 'resnet.t7', resnet(rng, (1, 1, 1, 1), 2, 3))
    torch7_writer.write(tmp_path / 'weights' / 'table.t7', {'a': np.ones(3)})
    (tmp_path / 'weights' / 'notes.txt').write_text('no weights')
    (tmp_path / 'weights' / 'more').mkdir()
    return tmp_path


@pytest.fixture
def converter(folder):
    return WeightConverter('weights/resnet.t7')


def control(widget, kind, text=''):
    """The control of a kind whose text, tooltip or placeholder begins so."""
    waiting = [widget]
    while waiting:
        each = waiting.pop()
        waiting += getattr(each, 'children', ())
        texts = [getattr(each, name, None) or '' for name in ('description', 'tooltip', 'placeholder')]
        if isinstance(each, getattr(ipywidgets, kind)) and any(one.startswith(text) for one in texts):
            return each
    raise AssertionError(f'there is no {kind} {text!r}')


def table(converter, tab):
    titles = [title.split()[0] for title in converter.children[1].children[1].titles]
    return converter.children[1].children[1].children[titles.index(tab)]


def test_a_folder_lists_its_folders_and_weight_files(folder):
    converter = WeightConverter('weights')
    assert control(converter, 'Select').options == ('../', 'more/', 'resnet.t7', 'table.t7')
    assert converter.message == 'Choose a weight file.' and converter.path is None
    assert control(converter, 'Button', 'Convert').disabled


def test_the_list_leads_through_folders_to_a_file(folder):
    converter = WeightConverter()
    names = control(converter, 'Select')
    names.value = 'weights/'
    names.value = 'more/'
    assert names.options == ('../',)
    names.value = '../'
    names.value = 'resnet.t7'
    assert converter.path == pathlib.Path('weights/resnet.t7')
    assert control(converter, 'Text', 'path').value == str(pathlib.Path('weights', 'resnet.t7'))


def test_a_file_can_be_entered_in_the_field(folder):
    converter = WeightConverter()
    control(converter, 'Text', 'path').value = 'weights/resnet.t7'
    assert converter.inspection.network == 'ResNet of fb.resnet.torch'


def test_an_uploaded_file_is_shown_under_its_own_name(folder):
    converter = WeightConverter()
    content = (folder / 'weights' / 'resnet.t7').read_bytes()
    control(converter, 'FileUpload').value = [{
        'name': 'mine.t7', 'type': '', 'size': len(content), 'content': memoryview(content),
        'last_modified': datetime.datetime(2026, 1, 1)}]
    assert converter.path.name == 'mine.t7' and converter.inspection.format == 'Torch7'
    assert converter.convert().name == 'mine.npz'


@pytest.mark.parametrize('name', [
    '', '.', '..', 'a\0b.t7', '../../up.t7', 'a\\b/c.t7', 'x' * 300 + '.t7'])
def test_uploads_may_have_any_name(folder, name):
    converter = WeightConverter()
    content = (folder / 'weights' / 'resnet.t7').read_bytes()
    control(converter, 'FileUpload').value = [{
        'name': name, 'type': '', 'size': len(content), 'content': memoryview(content),
        'last_modified': datetime.datetime(2026, 1, 1)}]
    assert converter.inspection.format == 'Torch7' and converter.path.read_bytes() == content
    assert converter.convert().parent.name == 'converted'


@pytest.mark.parametrize('name', ['', '.', 'a\0b.npz', 'x' * 300 + '.npz'])
def test_a_model_file_without_a_usable_name_is_an_error(converter, name):
    control(converter, 'Text', 'Save as').value = name
    with pytest.raises(UserError):
        converter.convert()
    assert 'Unexpected error' not in converter.message


def test_the_files_of_one_checkpoint_are_uploaded_together(folder, monkeypatch):
    chosen = []
    converter = WeightConverter()
    monkeypatch.setattr(converter._picker, '_choose', chosen.append)
    when = datetime.datetime(2026, 1, 1)
    control(converter, 'FileUpload').value = [
        {'name': name, 'type': '', 'size': 3, 'content': memoryview(b'abc'), 'last_modified': when}
        for name in ('m.data-00000-of-00001', 'm.index')]
    [path] = chosen
    assert path.name == 'm.index'
    assert sorted(each.name for each in path.parent.iterdir()) == ['m.data-00000-of-00001', 'm.index']


def test_format_network_and_tree_are_shown_at_once(converter):
    about = converter.children[1].children[0].value
    assert '<b>resnet.t7</b>: format Torch7, ResNet of fb.resnet.torch; 88 arrays' in about
    rows = table(converter, 'Tree').rows
    assert rows[0] == [0, '', 'nn.Sequential'] and rows[1][:2] == [1, '1']
    weight = next(text for _, label, text in rows if label == 'weight')
    assert weight.startswith('torch.FloatTensor float32 2x3x7x7')


@pytest.mark.parametrize('name', ['semantic', 'semantic.index', 'semantic.data-00000-of-00001'])
def test_a_checkpoint_is_recognised_by_any_of_its_file_names(folder, name):
    files = pathlib.Path(__file__).parents[1] / 'converters' / 'formats' / 'data' / 'tensorflow'
    converter = WeightConverter(files / name)
    assert converter.path == files / 'semantic.index'
    assert 'format TensorFlow, DeepLab of TensorFlow' in converter.children[1].children[0].value


def test_converting_writes_a_model_and_shows_the_mapping(converter):
    written = converter.convert()
    assert written == pathlib.Path('converted/resnet.npz')
    model = chainer_seg.load_model(written)
    np.testing.assert_array_equal(model.logits.b.array, converter.conversion.model.logits.b.array)
    rows = table(converter, 'Mapping').rows
    assert rows[0] == ['[1].weight', 'float32', '2 x 3 x 7 x 7', '/resnet/stem/conv/W', '2 x 3 x 7 x 7']
    assert len(rows) == len(converter.mapping) + 1
    assert rows[-1][3] == 'skipped: gradient of training'
    assert 'Skipped 1 array, such as' in table(converter, 'Warnings').value
    assert converter.message.startswith(f'Saved {written}: ResNetClassifier with ')
    assert repr(converter) == ('WeightConverter(resnet.t7: ResNet of fb.resnet.torch, 87 arrays placed)')


def test_the_button_converts_with_the_settings_of_the_controls(converter):
    control(converter, 'Textarea').value = '{"pooling": "ceil"}'
    control(converter, 'Text', 'Save as').value = 'other/name.npz'
    control(converter, 'Checkbox', 'float16').value = True
    control(converter, 'Button', 'Convert').click()
    converter._thread.join(60)
    assert converter.written == pathlib.Path('other/name.npz')
    model = chainer_seg.load_model(converter.written)
    assert model.config['pooling'] == 'ceil'
    weights = model.logits.W.array
    np.testing.assert_array_equal(weights, weights.astype(np.float16))


@pytest.mark.parametrize('text, value', [
    ('pooling = "ceil"', 'ceil'), ('{"pooling": "floor"}', 'floor')])
def test_configurations_are_json_toml_or_a_file(converter, folder, text, value):
    control(converter, 'Textarea').value = text
    converter.convert()
    assert converter.conversion.model.config['pooling'] == value
    (folder / 'c.toml').write_text('pooling = "ceil"')
    control(converter, 'Textarea').value = 'c.toml'
    converter.convert()
    assert converter.conversion.model.config['pooling'] == 'ceil'


@pytest.mark.parametrize('text, problem', [
    ('{"a": ', 'ends too early'), ('[1', 'is not valid TOML'),
    ('none.json', 'There is no configuration none.json'),
    ('{"no_such_argument": 1}', 'cannot be converted')])
def test_a_bad_configuration_is_reported_and_nothing_is_written(converter, folder, text, problem):
    control(converter, 'Textarea').value = text
    with pytest.raises(UserError, match=problem):
        converter.convert()
    assert problem in converter.message and converter.written is None
    assert not (folder / 'converted').exists()
    assert not control(converter, 'Button', 'Convert').disabled


def test_an_unknown_network_can_only_be_inspected(folder):
    converter = WeightConverter('weights/table.t7')
    assert converter.message.startswith('This network is not supported')
    assert table(converter, 'Tree').rows[0] == [0, '', 'table of 1']
    assert control(converter, 'Button', 'Convert').disabled
    with pytest.raises(WeightFileError, match='which cannot be converted'):
        converter.convert()


def test_a_file_that_cannot_be_read_is_reported_and_clears_the_previous_one(converter):
    converter.convert()
    with pytest.raises(WeightFileError):
        converter.choose('weights/notes.txt')
    assert 'is a text file that begins with' in converter.message
    assert converter.inspection is converter.conversion is converter.path is None
    assert control(converter, 'Button', 'Convert').disabled
    assert converter.children[1].children[1].layout.display == 'none'
    with pytest.raises(UserError, match='choose a weight file first'):
        converter.convert()


@pytest.mark.parametrize('target', ['weights', 'weights/resnet.t7'])
def test_the_weight_file_itself_is_not_overwritten(converter, target):
    before = converter.path.read_bytes()
    control(converter, 'Text', 'Save as').value = target
    with pytest.raises(UserError, match='give the model file another name'):
        converter.convert()
    assert converter.path.read_bytes() == before


@pytest.fixture
def held(converter, monkeypatch):
    """A converter whose conversion waits at its third array until ``go`` is set."""
    at, go = threading.Event(), threading.Event()
    step = converter._step

    def wait(used, total):
        if used == 3:
            at.set()
            assert go.wait(60)
        step(used, total)

    monkeypatch.setattr(converter, '_step', wait)
    control(converter, 'Button', 'Convert').click()
    assert at.wait(60)
    yield converter, go
    go.set()
    converter._thread.join(60)


def test_a_conversion_can_be_cancelled(held, folder):
    converter, go = held
    assert control(converter, 'Button', 'Cancel').layout.display is None
    control(converter, 'Button', 'Cancel').click()
    go.set()
    converter._thread.join(60)
    assert converter.message == 'Cancelled; nothing was written.'
    assert converter.conversion is None and not (folder / 'converted').exists()
    assert control(converter, 'Button', 'Cancel').layout.display == 'none'


def test_nothing_else_starts_during_a_conversion(held):
    converter, go = held
    assert control(converter, 'Button', 'Convert').disabled
    for action in (converter.convert, lambda: converter.choose('weights/table.t7')):
        with pytest.raises(UserError, match='A conversion is running'):
            action()
    assert converter.path.name == 'resnet.t7'
    go.set()
    converter._thread.join(60)
    assert converter.written is not None and control(converter, 'FloatProgress').value == 87 / 88


def test_recorded_outputs_are_compared(converter, folder, rng):
    with pytest.raises(UserError, match='no converted model to compare'):
        converter.compare('recorded.npz')
    converter.convert()
    x = rng.standard_normal((1, 3, 64, 64)).astype(np.float32)
    with chainer.using_config('train', False):
        output = converter.conversion.model(x).array
    np.savez(folder / 'recorded.npz', input=x, output=output * 1.001)
    control(converter, 'Text', '.prototxt').value = 'recorded.npz'
    control(converter, 'Button', 'Compare').click()
    [found] = converter.differences
    assert found.relative == pytest.approx(0.001 / 1.001, rel=1e-2)
    assert converter.message.startswith('1 output compared; the maximum difference is 1.0e-03')
    assert table(converter, 'Compare').children[1].rows[0][:2] == ['output', '1 x 3']
    with pytest.raises(UserError, match='There is no file none.npz'):
        converter.compare('none.npz')


def test_a_network_of_caffe_is_compared_with_opencv(shared_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    weights = shared_data / 'formats' / 'caffe' / 'resnet50_b4.caffemodel'
    converter = WeightConverter(weights)
    assert control(converter, 'Text', '.prototxt').value == str(weights.with_suffix('.prototxt'))
    converter.convert()
    converter.compare()
    assert len(converter.differences) == 106
    assert max(each.relative for each in converter.differences) < 1e-4


def test_a_file_below_the_working_folder_is_linked_and_not_embedded(folder):
    path = folder / 'out' / 'a b.npz'
    path.parent.mkdir()
    path.write_bytes(b'x' * 2_000_000)
    [output] = file_link(path).outputs
    assert output['data']['text/html'] == (
        '<a href="out/a%20b.npz" download="a b.npz">Download a b.npz (2.0 MB)</a>')


def test_a_small_file_elsewhere_is_embedded_in_its_link(folder, monkeypatch):
    path = folder / 'a.npz'
    path.write_bytes(b'abc')
    monkeypatch.chdir(folder / 'weights')
    assert 'href="data:application/octet-stream;base64,YWJj" download="a.npz"' in file_link(path).value
    path.write_bytes(b'x' * 5_000_000)
    assert file_link(path).value == f'a.npz (5.0 MB): {path}'
