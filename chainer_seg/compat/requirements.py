"""The part of setuptools' pkg_resources that Chainer uses, over importlib.metadata."""

import importlib.metadata

# ChainerCV copied into place without its metadata is this, its last release.
_VERSIONS_WITHOUT_METADATA = {'chainercv': '0.13.1'}


class ResolutionError(Exception):
    """A requirement is not met."""


class DistributionNotFound(ResolutionError):
    """A required distribution is not installed."""


class VersionConflict(ResolutionError):
    """A required distribution is installed in another version."""


class Distribution:
    """An installed distribution, of which only the version is known."""

    def __init__(self, name):
        try:
            self.version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError as error:
            if name not in _VERSIONS_WITHOUT_METADATA:
                raise DistributionNotFound(f'{name} is not installed') from error
            self.version = _VERSIONS_WITHOUT_METADATA[name]


def get_distribution(name):
    """The installed distribution `name`; DistributionNotFound when there is none."""
    return Distribution(name)


def require(*requirements):
    """Check requirements such as ``'numpy>=1.20'``.

    Raises:
        DistributionNotFound: one is not installed.
        VersionConflict: one has another version.
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
    """The distributions that are installed."""

    def require(self, *requirements):
        """As the function `require`."""
        require(*requirements)
