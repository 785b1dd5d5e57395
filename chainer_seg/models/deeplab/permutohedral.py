"""Gaussian filtering in many dimensions on the permutohedral lattice.

Adams, Baek, Davis: "Fast High-Dimensional Filtering Using the Permutohedral Lattice" (Eurographics
2010), section 3. The points are splatted onto the corners of the simplex that they lie in, the corners
are blurred along each direction of the lattice, and the points are read off again. All three steps are
sparse matrices here, made once for many filterings.
"""

import numpy as np
from scipy import sparse


class PermutohedralLattice:
    """A filter for values at N points: about the sum over points of exp(-distance^2 / 2) * value.

    Args:
        features: (N, d) float, positions of the points in units of the standard deviation.

    Attributes:
        size: The number of lattice points in use.

    Raises:
        ValueError: The features spread too far for the lattice to be numbered.
    """

    def __init__(self, features):
        keys, weights = _simplices(np.asarray(features, np.float64))
        codes, radix = _codes(keys)
        corners, places = np.unique(codes, return_inverse=True)
        count, vertices = weights.shape
        self.size = len(corners)
        self._slice = sparse.csr_array(
            (weights.astype(np.float32).ravel(), places.ravel(),
             np.arange(0, weights.size + 1, vertices)), shape=(count, self.size))
        self._splat = self._slice.T.tocsr()
        self._blurs = [_blur_matrix(corners, step) for step in _steps(radix)]

    def filter(self, values):
        """Filters values (N, C) float32, up to a factor that is the same for all points."""
        lattice = self._splat @ values
        for blur in self._blurs:
            lattice = blur @ lattice
        return self._slice @ lattice


def _simplices(features):
    """The corners of each point's simplex and the point's barycentric weights.

    Returns:
        keys (N, d + 1, d + 1) int64, the coordinates of the corners of remainder 0, 1, ..., d; and
        weights (N, d + 1) float64, which sum to 1.
    """
    count, d = features.shape
    elevated = features @ _elevation(d)
    nearest = np.round(elevated / (d + 1)).astype(np.int64) * (d + 1)
    excess = nearest.sum(axis=1, keepdims=True) // (d + 1)
    # The rank of each coordinate by its distance to the corner, largest first.
    order = np.argsort(nearest - elevated, axis=1, kind='stable')
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(d + 1)[None, :], axis=1)
    rank += excess
    # Back into the plane where coordinates sum to 0: those farthest off go to the next corner.
    turn = (rank < 0).astype(np.int64) - (rank > d)
    rank += turn * (d + 1)
    nearest += turn * (d + 1)
    sorted_differences = np.empty_like(elevated)
    np.put_along_axis(sorted_differences, rank, (elevated - nearest) / (d + 1), axis=1)
    weights = np.empty((count, d + 1))
    weights[:, 0] = 1 + sorted_differences[:, d] - sorted_differences[:, 0]
    weights[:, 1:] = (sorted_differences[:, :-1] - sorted_differences[:, 1:])[:, ::-1]
    remainders = np.arange(d + 1)[:, None]
    canonical = np.where(np.arange(d + 1)[None, :] <= d - remainders, remainders,
                         remainders - (d + 1))
    return nearest[:, None, :] + canonical[:, rank].transpose(1, 0, 2), weights


def _elevation(d):
    """(d, d + 1): from feature space into the plane of the lattice, scaled to unit deviation.

    The deviation of splatting, blurring and slicing together is (d + 1) * sqrt(2 / 3).
    """
    basis = np.zeros((d, d + 1))
    for number in range(d):
        basis[number, :number + 1] = 1
        basis[number, number + 1] = -(number + 1)
    basis /= np.linalg.norm(basis, axis=1, keepdims=True)
    return basis * ((d + 1) * np.sqrt(2 / 3))


def _codes(keys):
    """One whole number for each key (..., d + 1), so that a step in the lattice is a sum; its radix."""
    # The last coordinate follows from the others. There is room for one step on each side.
    d = keys.shape[-1] - 1
    keys = keys[..., :d]
    lowest = keys.min(axis=(0, 1)) - (d + 1)
    extent = keys.max(axis=(0, 1)) - lowest + (d + 2)
    if np.log2(extent.astype(float)).sum() > 62:
        raise ValueError('the features spread too far; use larger standard deviations')
    radix = np.concatenate([[1], np.cumprod(extent[:-1])])
    return (keys - lowest) @ radix, radix


def _steps(radix):
    """What one step along each of the d + 1 directions adds to a code."""
    d = len(radix)
    directions = np.ones((d + 1, d), np.int64)
    directions[np.arange(d), np.arange(d)] = -d
    return directions @ radix


def _blur_matrix(codes, step):
    """The blur (1, 2, 1) / 4 along one direction, (M, M); missing neighbours count as 0."""
    count = len(codes)
    neighbours = np.searchsorted(codes, codes + step)
    there = np.flatnonzero(codes[np.minimum(neighbours, count - 1)] == codes + step)
    neighbours = neighbours[there]
    rows = np.concatenate([np.arange(count), there, neighbours])
    columns = np.concatenate([np.arange(count), neighbours, there])
    values = np.repeat(np.array([0.5, 0.25], np.float32), [count, 2 * len(there)])
    return sparse.csr_array((values, (rows, columns)), shape=(count, count))
