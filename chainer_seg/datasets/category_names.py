"""The names of category ids: those of COCO and of Pascal VOC, or those in a COCO JSON file."""

from chainer_seg.datasets.coco_json import as_number, read_coco_json
from chainer_seg.errors import DatasetError
from chainer_seg.published_classes import COCO_CATEGORY_IDS, COCO_NAMES, PASCAL_NAMES

PUBLISHED = {'coco': dict(zip(COCO_CATEGORY_IDS, COCO_NAMES)), 'pascal': dict(enumerate(PASCAL_NAMES, 1))}


def find_categories(name: str) -> dict[int, str]:
    """The name of each category id.

    Args:
        name: ``'coco'``, ``'pascal'``, or a COCO JSON file.

    Raises:
        chainer_seg.errors.DatasetError: There is no such file, or it has no categories.
    """
    if name in PUBLISHED:
        return PUBLISHED[name]
    categories = {as_number(entry.get('id')): entry.get('name')
                  for entry in read_coco_json(name)['categories']}
    found = {number: text for number, text in categories.items()
             if number is not None and isinstance(text, str)}
    if not found or len(found) < len(categories):
        raise DatasetError(f'{name} does not name every category by an id and a name; give coco, pascal or a '
                           f'COCO annotation file.')
    return found
