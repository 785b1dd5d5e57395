import pytest

from chainer_seg.bad_images import BadImages, passing_over
from chainer_seg.errors import (
    DatasetError, DiskFullError, FolderInUseError, ImageError, UserError, VideoError)


def work(bad, errors):
    """Works on images that raise ``errors``, None for a good one; gives the numbers of those done."""
    done = []
    for number, error in enumerate(errors):
        with bad.passing_over(number):
            if error is not None:
                raise error
            done.append(number)
    return done


def test_the_work_resumes_and_the_bad_images_are_listed(capsys):
    bad = BadImages()
    errors = [None, ImageError('a.jpg is cut.'), DatasetError('b.jpg is odd.'), None]
    with pytest.raises(ImageError, match='^2 of 4 images could not be read and have no results; '), \
            bad.reported(4, 'have no results'):
        assert work(bad, errors) == [0, 3]
    assert capsys.readouterr().err == 'skipped: a.jpg is cut.\nskipped: b.jpg is odd.\n'


def test_without_bad_images_nothing_is_printed(capsys):
    with BadImages().reported(4, 'have no results'):
        pass
    assert capsys.readouterr().err == ''


def test_a_long_list_is_shortened_with_its_count(capsys):
    bad = BadImages()
    work(bad, [VideoError(f'{number}.avi is cut.') for number in range(13)])
    bad.show()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 11 and lines[9] == 'skipped: 9.avi is cut.'
    assert lines[10] == '... and 3 more; -v lists them'
    bad.show(show_all=True)
    assert len(capsys.readouterr().err.splitlines()) == 13


def test_strict_stops_at_the_first():
    bad = BadImages(strict=True)
    with pytest.raises(ImageError, match='a.jpg'):
        work(bad, [None, ImageError('a.jpg is cut.'), ImageError('b.jpg is cut.')])


@pytest.mark.parametrize('error', [
    DiskFullError('full'), FolderInUseError('in use'), KeyboardInterrupt()])
def test_errors_that_no_image_caused_are_raised(error):
    with pytest.raises(type(error)):
        work(BadImages(), [error])


def test_without_a_callback_errors_are_raised():
    with pytest.raises(ImageError), passing_over(0, None):
        raise ImageError('a.jpg is cut.')


def test_interrupted_work_lists_what_was_skipped(capsys):
    bad = BadImages()
    with pytest.raises(KeyboardInterrupt), bad.reported(3, 'have no results'):
        work(bad, [ImageError('a.jpg is cut.'), KeyboardInterrupt()])
    assert 'a.jpg is cut.' in capsys.readouterr().err


@pytest.mark.parametrize('count, sentence', [
    (1, '^a0.jpg is cut'), (2, '^2 of 2 images could not be read')])
def test_if_no_images_remain_the_error_is_that_of_the_bad_images(count, sentence):
    bad = BadImages()
    with pytest.raises(UserError, match=sentence), bad.reported(count, 'are not in the figures'):
        work(bad, [ImageError(f'a{number}.jpg is cut.') for number in range(count)])
        raise DatasetError('There is nothing to evaluate.')
