"""Text files as people have them: byte order marks, other encodings, cut or binary."""

import pytest

from chainer_seg.errors import DatasetError, UserError
from chainer_seg.files import parse_json, read_json, read_text, read_toml


@pytest.mark.parametrize('encoding', [
    'utf-8', 'utf-8-sig', 'utf-16', 'utf-16-le-mark', 'utf-16-be-mark'])
def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path, encoding):
    codec = encoding.removesuffix('-mark')
    mark = '\ufeff' if encoding.endswith('-mark') else ''
    (tmp_path / 'a').write_bytes((mark + '{"Straße": 1}').encode(codec))
    assert read_json(tmp_path / 'a') == {'Straße': 1}


@pytest.mark.parametrize(('data', 'reason'), [
    ('{"a": "中国人民"}'.encode('gbk'), 'is not UTF-8'), (b'\x89PNG\r\n\x1a\n\x00\x00', 'binary data'),
    (b'', 'is empty'), (b'{"a": [1, 2', 'ends too early'), (b'{a: 1}', 'is not valid JSON'),
    (b'[' * 100_000, 'nested too deeply'), (b'1' * 5000, 'too many digits'),
    (b'{"a":\x00 1}', 'binary data')])
def test_the_error_says_what_the_file_is(tmp_path, data, reason):
    (tmp_path / 'a.json').write_bytes(data)
    with pytest.raises(DatasetError, match=reason) as caught:
        read_json(tmp_path / 'a.json', 'annotation file', DatasetError)
    assert 'a.json' in str(caught.value)


def test_missing_files_and_folders_are_reported(tmp_path):
    with pytest.raises(DatasetError, match='There is no list of images'):
        read_text(tmp_path / 'b', 'list of images', DatasetError)
    with pytest.raises(DatasetError, match='is a folder'):
        read_text(tmp_path, 'list of images', DatasetError)
    with pytest.raises(DatasetError, match='cannot be read'):
        read_text('a\0b', 'list of images', DatasetError)


def test_toml_faults_are_one_sentence(tmp_path):
    (tmp_path / 'a.toml').write_bytes(b'\xef\xbb\xbfx = 1\n')
    assert read_toml(tmp_path / 'a.toml') == {'x': 1}
    (tmp_path / 'a.toml').write_text('x = ' + '[' * 100_000)
    with pytest.raises(DatasetError, match='is not valid TOML'):
        read_toml(tmp_path / 'a.toml', 'experiment', DatasetError)


@pytest.mark.parametrize(('text', 'value'), [('"\\ud83d\\ude42"', '🙂'), ('{"\\u00e9": 1}', {'é': 1})])
def test_escaped_characters_are_read(text, value):
    assert parse_json(text, 'The file') == value


@pytest.mark.parametrize('text', ['"\\ud83d"', '{"a": [{"\\uDE42": 1}]}', '["\\ude42\\ud83d"]'])
def test_half_a_character_is_reported(text):
    with pytest.raises(UserError, match='The file contains text that is not Unicode'):
        parse_json(text, 'The file')


@pytest.mark.parametrize('content, sentence', [
    (b'<!DOCTYPE html><html></html>', 'looks like a web page; download it again'),
    (b'version https://git-lfs.github.com/spec/v1\noid sha256:1\n', 'is a Git LFS pointer'),
    (b'\x1f\x8b\x08\0\0\0\0\0', 'looks like a gzip archive; unpack it first')])
def test_what_stands_in_place_of_a_json_file_is_reported(tmp_path, content, sentence):
    (tmp_path / 'a.json').write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        read_json(tmp_path / 'a.json')
