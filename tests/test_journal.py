"""Journals and settings that were damaged: what is whole counts, all else is computed again or told."""

import contextlib
import json

import pytest

from chainer_seg.errors import DatasetError
from chainer_seg.journal import Journal, keep_settings

RESULT = {'image_id': 7, 'category_id': 1, 'score': 0.5, 'bbox': [1.0, 2, 3, 4],
          'segmentation': {'size': [4, 5], 'counts': '52='}}


@pytest.mark.parametrize('line', [
    '{"number": 1, "results": 3}', '{"number": 1, "results": [3]}', '{"number": 1, "results": [{}]}',
    '{"number": -1, "results": []}', '{"number": "1", "results": []}', '{"number": true, "results": []}',
    '{"number": 1}', '[]', 'null', '[' * 9999, '"\\ud800"', '{"number": 1, "results": [',
    json.dumps({'number': 1, 'results': [{**RESULT, 'score': 'high'}]}),
    json.dumps({'number': 1, 'results': [{**RESULT, 'bbox': 'wide'}]}),
    json.dumps({'number': 1, 'results': [{**RESULT, 'segmentation': {'size': [4, 5], 'counts': 3}}]})])
def test_a_damaged_line_and_what_follows_it_are_computed_again(tmp_path, line):
    good = [json.dumps({'number': number, 'results': [RESULT]}) for number in (0, 2)]
    path = tmp_path / 'journal.jsonl'
    path.write_text('\n'.join([good[0], line, good[1], '']))
    with contextlib.closing(Journal(path)) as journal:
        assert list(journal.numbers) == [0] and list(journal.results([0])) == [RESULT]
    assert path.read_text() == good[0] + '\n'


@pytest.mark.parametrize('content', [b'', b'3', b'{"a": ', b'\xff\x00', b'[' * 9999, b'["a"]'])
def test_damaged_settings_are_one_sentence(tmp_path, content):
    (tmp_path / 'settings.json').write_bytes(content)
    with pytest.raises(DatasetError, match='settings.json is damaged'):
        keep_settings(tmp_path / 'settings.json', {'a': 1}, 'results')


def test_long_settings_are_quoted_in_short(tmp_path):
    (tmp_path / 'settings.json').write_text(json.dumps({'a': 'x\n' * 10_000}))
    with pytest.raises(DatasetError, match='other settings') as caught:
        keep_settings(tmp_path / 'settings.json', {'a': 1}, 'results')
    assert len(str(caught.value)) < 600 and '\n' not in str(caught.value)
