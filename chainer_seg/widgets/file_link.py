"""A link by which a browser gets a file that the kernel wrote."""

import base64
import html
import os
import pathlib
import urllib.parse

import ipywidgets

from chainer_seg.errors import UserError, shortened

_SMALL = 4_000_000  # bytes: so much may travel inside a page


def file_link(path):
    """A widget with a link to a file.

    The server of Jupyter sends a file that lies below the working folder, of any size, without loading
    it into the page. A small file elsewhere is part of the link; of a large one the path is told.

    Raises:
        chainer_seg.errors.UserError: There is no such file.
    """
    if not os.path.isfile(path):
        raise UserError(f'There is no file {shortened(str(path))} to link to.')
    path = pathlib.Path(path)
    size = path.stat().st_size
    about = f'{html.escape(path.name)} ({size / 1e6:.1f} MB)'
    try:
        below = path.resolve().relative_to(pathlib.Path.cwd())
    except ValueError:
        if size > _SMALL:
            return ipywidgets.HTML(f'{about}: {html.escape(str(path))}')
        data = base64.b64encode(path.read_bytes()).decode('ascii')
        return ipywidgets.HTML(_anchor(f'data:application/octet-stream;base64,{data}', path.name, about))
    # Only in an output does JupyterLab turn a relative link into one to its server.
    link = _anchor(urllib.parse.quote(below.as_posix()), path.name, about)
    return ipywidgets.Output(outputs=({'output_type': 'display_data', 'metadata': {}, 'data': {
        'text/html': link, 'text/plain': about}},))


def _anchor(address, name, about):
    return f'<a href="{address}" download="{html.escape(name)}">Download {about}</a>'
