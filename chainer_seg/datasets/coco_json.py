"""Reading a COCO annotation file, or saying in one sentence why it is none."""

import json
import math
import pathlib

from chainer_seg.errors import DatasetError


def read_coco_json(path):
    """The content of a COCO annotation file.

    Args:
        path: The JSON file.

    Returns:
        dict: With the lists 'images', 'annotations' and 'categories', each of dicts. A file
        without annotations (a test set) has an empty list of them; without categories, they are
        named by the ids that occur in the annotations.

    Raises:
        chainer_seg.errors.DatasetError: If it is missing, not JSON, or not COCO.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        raise DatasetError(f'{path} is a folder; name the annotation JSON file in it.')
    if not path.exists():
        raise DatasetError(f'There is no annotation file {path}; check the path.')
    try:
        content = json.loads(path.read_bytes())
    except UnicodeDecodeError as error:
        raise DatasetError(f'{path} is not a JSON file but binary data.') from error
    except json.JSONDecodeError as error:
        raise DatasetError(_json_fault(path, error)) from error
    except RecursionError as error:
        raise DatasetError(f'{path} is not a COCO annotation file: it is nested too deeply.'
                           ) from error
    except OSError as error:
        raise DatasetError(f'{path} cannot be read: {error.strerror}.') from error
    return _with_lists(path, content)


def is_number(value):
    """Whether a JSON value is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def is_id(value):
    """Whether a JSON value can be the id of an image, an annotation or a category."""
    return isinstance(value, (int, str)) and not isinstance(value, bool)


def keypoint_count(category):
    """The number of keypoints that a category names."""
    names = category.get('keypoints')
    return len(names) if isinstance(names, list) else 0


def _json_fault(path, error):
    if not error.doc.strip():
        return f'The annotation file {path} is empty; write or fetch it again.'
    if error.pos >= len(error.doc.rstrip()) - 1 or 'Unterminated' in error.msg:
        return f'The annotation file {path} ends too early: it was cut short; fetch it again.'
    return f'{path} is not valid JSON (line {error.lineno}: {error.msg}).'


def _with_lists(path, content):
    if isinstance(content, list):
        raise DatasetError(f'{path} is a list, as COCO results are; an annotation file has '
                           f'"images", "annotations" and "categories".')
    if not isinstance(content, dict) or 'images' not in content:
        raise DatasetError(f'{path} is not a COCO annotation file: it has no list "images".')
    content = dict(content)
    content.setdefault('annotations', [])
    for name in ('images', 'annotations', 'categories'):
        entries = content.get(name, [])
        if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
            raise DatasetError(f'{path} is not a COCO annotation file: "{name}" is not a list of '
                               f'objects.')
    if 'categories' not in content:
        used = {a['category_id'] for a in content['annotations'] if is_id(a.get('category_id'))}
        content['categories'] = [{'id': i, 'name': str(i)} for i in sorted(used, key=str)]
    return content
