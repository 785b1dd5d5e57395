"""The replacements of pkg_resources and distutils behave like the originals."""

import pytest
from chainer_seg.compat import requirements, standard_library


def test_met_requirements_pass():
    requirements.WorkingSet().require('numpy>=1.20', 'chainer==7.8.1')


def test_another_version_is_a_conflict():
    with pytest.raises(requirements.VersionConflict, match='numpy<1.0'):
        requirements.require('numpy<1.0')


def test_missing_distribution_is_not_found():
    with pytest.raises(requirements.DistributionNotFound, match='no-such-thing'):
        requirements.require('no-such-thing')


def test_requirement_for_another_platform_is_ignored():
    requirements.require('no-such-thing; sys_platform == "nowhere"')


def test_both_errors_are_resolution_errors():
    assert issubclass(requirements.VersionConflict, requirements.ResolutionError)
    assert issubclass(requirements.DistributionNotFound, requirements.ResolutionError)


def test_version_of_an_installed_distribution():
    assert requirements.get_distribution('chainer').version == '7.8.1'


@pytest.mark.parametrize('text, value', [('Yes', 1), ('1', 1), ('off', 0), ('n', 0)])
def test_strtobool_parses_words(text, value):
    assert standard_library.strtobool(text) == value


def test_strtobool_rejects_other_words():
    with pytest.raises(ValueError, match='maybe'):
        standard_library.strtobool('maybe')
