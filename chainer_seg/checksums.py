"""The checksum that TensorFlow writes into its record files, checkpoints and sorted tables."""

import google_crc32c
import numpy as np


def masked_crc32c(data: bytes | np.ndarray) -> int:
    """The masked CRC-32C of bytes or of a uint8 array: rotated right by 15 bits, plus a constant.

    Follows tensorflow/core/lib/hash/crc32c.h.
    """
    checksum = google_crc32c.value(data)
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF
