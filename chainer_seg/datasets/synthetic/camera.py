"""The camera model of synthetic images: patches of shade, lens, sensor, compression."""

import cv2
import numpy as np
import numpy.typing as npt

from chainer_seg.datasets.synthetic.textures import scale_colours, value_noise
from chainer_seg.images import decode_image


def light_patches(rng: np.random.Generator, canvas: npt.NDArray) -> npt.NDArray:
    """The image (h, w, 3) float32 with patches of shade."""
    height, width = canvas.shape[:2]
    noise = value_noise(rng, height, width, max(height, width) * rng.uniform(0.15, 0.6), 2)
    edge = np.float32(rng.uniform(2, 30))
    patch = np.clip((noise - np.float32(rng.uniform(0.35, 0.65))) * edge, 0, 1)
    return scale_colours(canvas, 1 - patch * np.float32(rng.uniform(0.1, 0.5)))


def photograph(rng: np.random.Generator, canvas: npt.NDArray) -> npt.NDArray[np.uint8]:
    """Simulates a camera: blur, colour cast, exposure, vignette, noise and compression.

    Args:
        rng: Source of all randomness.
        canvas: The scene, (h, w, 3) float32 in 0..255.

    Returns:
        (h, w, 3) uint8 array.
    """
    height, width = canvas.shape[:2]
    side = min(height, width)
    chance = rng.random(5)
    if chance[0] < 0.25:
        canvas = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.3, 0.004 * side + 0.5))
    elif chance[0] < 0.35:
        canvas = cv2.filter2D(canvas, -1, _motion_kernel(rng, side))
    gain = np.exp(rng.normal(0, 0.08, 3) + rng.normal(0, 0.15)).astype(np.float32)
    offset = np.float32(rng.normal(0, 8))
    canvas *= gain
    canvas += offset
    if chance[1] < 0.3:
        u = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
        v = np.linspace(-1, 1, width, dtype=np.float32)[None]
        canvas = scale_colours(canvas, 1 - np.float32(rng.uniform(0.1, 0.3)) * (u * u + v * v))
    if chance[2] < 0.25:
        grey = cv2.cvtColor(cv2.cvtColor(canvas, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        share = rng.choice([0, 0.4, 0.7, 1.3])
        canvas = cv2.addWeighted(canvas, share, grey, 1 - share, 0)
    if chance[3] < 0.6:
        sigma = np.float32(rng.exponential(4))
        noise = rng.standard_normal((height, width), dtype=np.float32)
        noise *= sigma
        canvas = cv2.add(canvas, cv2.merge([noise, noise, noise]))
    image = cv2.add(canvas, 0, dtype=cv2.CV_8U)  # type: ignore[call-overload]
    if chance[4] < 0.25:
        quality = int(rng.integers(25, 90))
        _, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        image = np.ascontiguousarray(decode_image(data.tobytes())[:, :, ::-1])  # OpenCV assumes BGR.
    return image


def _motion_kernel(rng: np.random.Generator, side: int) -> npt.NDArray[np.float32]:
    size = 2 * int(max(1, side * rng.uniform(0.004, 0.012))) + 1
    kernel = np.zeros((size, size), np.float32)
    direction = rng.uniform(-1, 1, 2) * (size // 2)
    centre = size // 2
    start = np.round(centre - direction).astype(int).tolist()
    end = np.round(centre + direction).astype(int).tolist()
    cv2.line(kernel, start, end, 1.0)
    return kernel / kernel.sum()
