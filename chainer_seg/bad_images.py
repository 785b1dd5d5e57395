"""Images that cannot be used: the work goes on without them, and they are listed at its end."""

import contextlib
import sys
from collections.abc import Callable, Hashable, Iterator

from chainer_seg.errors import (
    ClickError, DatasetError, FolderInUseError, ImageError, UserError, VideoError)

_SHOWN = 10  # bad images, unless all are asked for

OnError = Callable[[Hashable, UserError], object]


@contextlib.contextmanager
def passing_over(number: Hashable, on_error: OnError | None) -> Iterator[None]:
    """Gives what goes wrong with one image to ``on_error(number, error)``; None raises it.

    Only what is wrong with an image, its objects or the clicks on it is passed over.
    """
    try:
        yield
    except FolderInUseError:
        raise
    except (ImageError, DatasetError, VideoError, ClickError) as error:
        if on_error is None:
            raise
        on_error(number, error)


class BadImages:
    """Collects the images that could not be used, and reports them at the end.

    It is an ``on_error`` of :func:`passing_over` and of all that takes one.

    Args:
        strict: Raise the first error instead.

    Attributes:
        errors: ``{number of the image: error}``; of several sets of images, any other key.
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
        """A block of work on the image ``number`` that is left where the image cannot be used."""
        return passing_over(number, self)

    @contextlib.contextmanager
    def reported(self, total: int, consequence: str, show_all: bool = False) -> Iterator[None]:
        """A block of work at whose end the bad images are listed on the standard error stream.

        Args:
            total: How many images there are.
            consequence: What the bad ones lack, such as ``'have no results'``.
            show_all: Also list those after the tenth.

        Raises:
            chainer_seg.errors.ImageError: There are bad images.
        """
        try:
            yield
        except DatasetError as error:
            # Too little was left to work on, and the bad images say why.
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

    def show(self, show_all: bool = False, done: str = 'passed over') -> None:
        """Lists the bad images on the standard error stream; ``done`` says what became of them."""
        lines = [f'{done}: {error}' for error in self.errors.values()]
        shown = lines if show_all else lines[:_SHOWN]
        for line in shown:
            print(line, file=sys.stderr)
        if len(lines) > len(shown):
            print(f'... and {len(lines) - len(shown)} more; -v lists them', file=sys.stderr)
