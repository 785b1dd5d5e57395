"""The part of setuptools' pkg_resources that Chainer uses, over importlib.metadata."""

import importlib.metadata

# The versions of packages that were copied into place without their metadata: their last release.
_VERSIONS_WITHOUT_METADATA = {'chainercv': '0.13.1'}


class ResolutionError(Exception):
    """A requirement is not met."""


class DistributionNotFound(ResolutionError):
    """A required distribution is not installed."""


class VersionConflict(ResolutionError):
    """A required distribution is installed in another version."""


class Distribution:
    """An installed distribution and its version."""

    def __init__(self, name: str) -> None:
        try:
            self.version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError as error:
            if name not in _VERSIONS_WITHOUT_METADATA:
                raise DistributionNotFound(f'{name} is not installed') from error
            self.version = _VERSIONS_WITHOUT_METADATA[name]


def get_distribution(name: str) -> Distribution:
    """The installed distribution `name`; raises DistributionNotFound if there is none."""
    return Distribution(name)


def require(*requirements: str) -> None:
    """Check requirements such as ``'numpy>=1.20'``.

    Raises:
        DistributionNotFound: A distribution is not installed.
        VersionConflict: The installed version of a distribution does not meet its requirement.
    """
    from packaging.requirements import Requirement

    for text in requirements:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        version = Distribution(requirement.name).version
        if not requirement.specifier.contains(version, prereleases=True):
            raise VersionConflict(f'{text} is required, {version} is installed')


class WorkingSet:
    """The installed distributions."""

    def require(self, *requirements: str) -> None:
        """Check requirements as the function `require` does."""
        require(*requirements)
