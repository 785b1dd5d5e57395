"""Gaussian filtering in many dimensions on the permutohedral lattice.

Adams, Baek, Davis: "Fast High-Dimensional Filtering Using the Permutohedral Lattice" (Eurographics
2010), section 3. The points are splatted onto the corners of the simplex that they lie in, the corners
are blurred along each direction of the lattice, and the points are interpolated from them. All three
steps are sparse matrices here, built once for many filterings.
"""

import numpy as np
from scipy import sparse

from chainer_seg.errors import UserError


class PermutohedralLattice:
    """A filter of values at N points: approximately the sum over points of exp(-distance^2 / 2) * value.

    Args:
        features: (N, d) float, positions of the points in units of the standard deviation.

    Attributes:
        size: The number of lattice points in use.

    Raises:
        chainer_seg.errors.UserError: The features are not finite, or so far apart that lattice points
            cannot be numbered by 64-bit integers.
    """

    def __init__(self, features: np.ndarray) -> None:
        features = np.asarray(features, np.float64)
        if not np.isfinite(features).all():
            raise UserError('The features of the lattice contain NaN or infinite values.')
        nearest, rank, weights = _simplices(features.T)
        codes, steps = _corner_codes(nearest, rank)
        corners = np.unique(codes)
        places = np.searchsorted(corners, codes)  # many times faster than unique's own inverse
        vertices, count = weights.shape
        self.size = len(corners)
        self._splat = sparse.csc_array(
            (weights.astype(np.float32).T.ravel(), places.T.ravel(),
             np.arange(0, weights.size + 1, vertices)), shape=(self.size, count)).tocsr()
        self._slice = self._splat.T.tocsr()
        self._blurs = [_blur_matrix(corners, step) for step in steps]

    def filter(self, values: np.ndarray) -> np.ndarray:
        """Filters values (N, C) float32, up to a factor common to all points."""
        lattice = self._splat @ values
        for blur in self._blurs:
            lattice = blur @ lattice
        return self._slice @ lattice


def _simplices(features: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The simplex of the lattice that contains each point, and the point's barycentric coordinates.

    Args:
        features: (d, N) float64.

    Returns:
        nearest (d + 1, N) int64, its corner of remainder 0; rank (d + 1, N) int64, the place of each
        coordinate when the point's distances to that corner are sorted, largest first; and
        weights (d + 1, N) float64, barycentric, of the corners of remainder 0, 1, ..., d.
    """
    d = len(features)
    elevated = _elevation(d).T @ features
    nearest = np.round(elevated / (d + 1)).astype(np.int64) * (d + 1)
    rank = _descending_ranks(elevated - nearest) + nearest.sum(axis=0) // (d + 1)
    # Back into the plane where coordinates sum to 0: those farthest off go to the next corner.
    turn = (d + 1) * ((rank < 0).astype(np.int64) - (rank > d))
    rank += turn
    nearest += turn
    ordered = np.empty_like(elevated)
    np.put_along_axis(ordered, rank, (elevated - nearest) / (d + 1), axis=0)
    weights = np.empty_like(elevated)
    weights[0] = 1 + ordered[d] - ordered[0]
    weights[1:] = (ordered[:-1] - ordered[1:])[::-1]
    return nearest, rank, weights


def _descending_ranks(values: np.ndarray) -> np.ndarray:
    """(K, N): the rank of each value in its column, largest first; faster than sorting for few rows."""
    rank = np.zeros(values.shape, np.int64)
    for first in range(len(values)):
        for second in range(first):
            second_leads = values[second] >= values[first]
            rank[first] += second_leads
            rank[second] += ~second_leads
    return rank


def _elevation(d: int) -> np.ndarray:
    """(d, d + 1): from feature space into the plane of the lattice, scaled to unit deviation.

    The deviation of splatting, blurring and slicing together is (d + 1) * sqrt(2 / 3).
    """
    basis = np.zeros((d, d + 1))
    for number in range(d):
        basis[number, :number + 1] = 1
        basis[number, number + 1] = -(number + 1)
    basis /= np.linalg.norm(basis, axis=1, keepdims=True)
    return basis * ((d + 1) * np.sqrt(2 / 3))


def _corner_codes(nearest: np.ndarray, rank: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers the corners of simplices so that a step in the lattice adds a constant.

    Returns:
        codes (d + 1, N) int64 of the corners of remainder 0, 1, ..., d; and (d + 1,) int64, what a
        step along each direction adds.
    """
    # The last coordinate follows from the others. There is room for one step beyond each side.
    d = len(nearest) - 1
    lowest = nearest[:d].min(axis=1) - 2 * (d + 1)
    extent = nearest[:d].max(axis=1) + 2 * (d + 1) - lowest
    if np.log2(extent.astype(float)).sum() > 62:
        raise UserError('The positions and colours of the image spread too far in units of the standard '
                        'deviations; use larger deviations.')
    radix = np.concatenate([[1], np.cumprod(extent[:-1]), [0]])
    # The corner of remainder k lies k further along all coordinates, but for those of the k last
    # ranks, along which it lies d + 1 - k back.
    by_rank = np.empty_like(rank)
    np.put_along_axis(by_rank, rank, np.broadcast_to(radix[:, None], rank.shape), axis=0)
    back = np.zeros_like(rank)
    for remainder in range(d):
        back[remainder + 1] = back[remainder] + by_rank[d - remainder]
    codes = radix[:d] @ (nearest[:d] - lowest[:, None])
    codes = codes + np.arange(d + 1)[:, None] * radix.sum() - (d + 1) * back
    return codes, radix.sum() - (d + 1) * radix


def _blur_matrix(codes: np.ndarray, step: int) -> sparse.csr_array:
    """The blur (1, 2, 1) / 4 along one direction, (M, M); missing neighbours count as 0."""
    count = len(codes)
    neighbours = np.searchsorted(codes, codes + step)
    there = np.flatnonzero(codes[np.minimum(neighbours, count - 1)] == codes + step)
    neighbours = neighbours[there]
    rows = np.concatenate([np.arange(count), there, neighbours])
    columns = np.concatenate([np.arange(count), neighbours, there])
    values = np.repeat(np.array([0.5, 0.25], np.float32), [count, 2 * len(there)])
    return sparse.csr_array((values, (rows, columns)), shape=(count, count))
