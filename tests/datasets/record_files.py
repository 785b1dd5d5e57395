"""TFRecord files written by hand for the tests: protobuf's wire format and a checksum bit by bit."""

import io
import struct

import numpy as np
from PIL import Image


def crc32c(data):
    """Castagnoli's checksum by its definition: polynomial 0x1EDC6F41, bits reflected."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def checksum(data):
    value = crc32c(data)
    return struct.pack('<I', ((value >> 15 | value << 17) + 0xA282EAD8) % 2 ** 32)


def record(data):
    length = struct.pack('<Q', len(data))
    return length + checksum(length) + data + checksum(data)


def varint(number):
    digits = []
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])


def field(number, data):
    """A field of bytes: its number and wire type 2, the length, the data."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def feature(values):
    """A Feature of bytes (1), floats (2) or whole numbers (3); numbers are packed."""
    if values and isinstance(values[0], bytes):
        return field(1, b''.join(field(1, value) for value in values))
    if values and isinstance(values[0], float):
        return field(2, field(1, struct.pack(f'<{len(values)}f', *values)))
    return field(3, field(1, b''.join(map(varint, values))))


def example(**features):
    """A tf.train.Example; '__' in a name stands for '/'. Those of None are left out."""
    entries = [field(1, field(1, name.replace('__', '/').encode()) + field(2, feature(values)))
               for name, values in features.items() if values is not None]
    return field(1, b''.join(entries))


def image_bytes(array, kind):
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind)
    return file.getvalue()


def features_of(image, instances, image_id, name, category_ids):
    """What the tool stores of one image and its objects."""
    height, width = image.shape[:2]
    y_min, x_min, y_max, x_max = instances.bboxes.astype(float).T
    areas = instances.areas if instances.areas is not None else instances.masks.sum(axis=(1, 2))
    return {
        'image__height': [height], 'image__width': [width], 'image__filename': [name.encode()],
        'image__source_id': [str(image_id).encode()], 'image__key__sha256': [b'0' * 64],
        'image__encoded': [image_bytes(image, 'JPEG')], 'image__format': [b'jpeg'],
        'image__object__bbox__xmin': (x_min / width).tolist(),
        'image__object__bbox__xmax': (x_max / width).tolist(),
        'image__object__bbox__ymin': (y_min / height).tolist(),
        'image__object__bbox__ymax': (y_max / height).tolist(),
        'image__object__class__label_text': [instances.name(i).encode()
                                             for i in range(len(instances))],
        'image__object__class__label_id': [category_ids[label] for label in instances.labels],
        'image__object__is_crowd': instances.crowds.astype(int).tolist(),
        'image__object__area': areas.astype(float).tolist(),
        'image__object__mask': [image_bytes(mask.astype(np.uint8), 'PNG')
                                for mask in instances.masks]}
