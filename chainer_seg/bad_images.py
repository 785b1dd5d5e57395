"""Images that cannot be used: they are skipped, and listed at the end."""

import contextlib
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any

from chainer_seg.errors import (
    ClickError, DatasetError, FolderInUseError, ImageError, UserError, VideoError)

_SHOWN = 10  # maximum number of bad images listed by default

OnError = Callable[[Hashable, UserError], object]
# ``loop(numbers, compute)`` yields ``(number, compute(number))``, a row of results for each image.
Loop = Callable[[Iterable[int], Callable[[int], Any]], Iterator[tuple[int, Any]]]


@contextlib.contextmanager
def passing_over(number: Hashable, on_error: OnError | None) -> Iterator[None]:
    """Passes errors with one image to ``on_error(number, error)``; if that is None, raises them.

    Only errors in an image, its objects or the clicks on it are skipped.
    """
    try:
        yield
    except FolderInUseError:
        raise
    except (ImageError, DatasetError, VideoError, ClickError) as error:
        if on_error is None:
            raise
        on_error(number, error)


def each_image(numbers: Iterable[int], compute: Callable[[int], Any], *,
               progress: Callable[[Iterable], Iterable] = iter, on_error: OnError | None = None
               ) -> Iterator[tuple[int, Any]]:
    """The plain :data:`Loop`: yields ``(number, compute(number))`` for each image that can be used.

    Args:
        numbers: Numbers of images.
        compute: Gives the results of an image.
        progress: Wraps the iteration over the numbers, as ``tqdm`` does.
        on_error: As of :func:`passing_over`.
    """
    for number in progress(numbers):
        with passing_over(number, on_error):
            yield number, compute(number)


class BadImages:
    """Collects the images that could not be used, and reports them at the end.

    It can be used as ``on_error`` wherever there is such an argument.

    Args:
        strict: Raise the first error instead.

    Attributes:
        errors: ``{number of the image: error}``; with several sets of images, any other key.
    """

    def __init__(self, strict: bool = False) -> None:
        self.strict = strict
        self.errors: dict[Hashable, UserError] = {}

    def __len__(self) -> int:
        return len(self.errors)

    def __call__(self, number: Hashable, error: UserError) -> None:
        if self.strict:
            raise error
        self.errors[number] = error

    def passing_over(self, number: Hashable) -> contextlib.AbstractContextManager:
        """A block of work on the image ``number`` that is skipped if the image cannot be used."""
        return passing_over(number, self)

    @contextlib.contextmanager
    def reported(self, total: int, consequence: str, show_all: bool = False) -> Iterator[None]:
        """A block of work after which the bad images are listed on standard error.

        Args:
            total: The number of images.
            consequence: What the bad ones lack, such as ``'have no results'``.
            show_all: List all of them, not only the first ten.

        Raises:
            chainer_seg.errors.ImageError: There are bad images.
        """
        try:
            yield
        except DatasetError as error:
            # Too few images were left, and the bad images are the reason.
            if not self.errors:
                raise
            if len(self) == 1:
                raise next(iter(self.errors.values())) from error
        except BaseException:
            self.show(show_all)
            raise
        if self.errors:
            self.show(show_all)
            raise ImageError(f'{len(self)} of {total} images could not be read and {consequence}; '
                             f'repair or replace them, and run the same command again.')

    def show(self, show_all: bool = False, done: str = 'skipped') -> None:
        """Lists the bad images on standard error; ``done`` says what was done with them."""
        lines = [f'{done}: {error}' for error in self.errors.values()]
        shown = lines if show_all else lines[:_SHOWN]
        for line in shown:
            print(line, file=sys.stderr)
        if len(lines) > len(shown):
            print(f'... and {len(lines) - len(shown)} more; -v lists them', file=sys.stderr)
