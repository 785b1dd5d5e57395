"""Makes notebooks/index.ipynb from the saved tutorials: python docs/notebook_index.py

For each tutorial it shows an image, its title, the time it takes, and what the reader can do afterwards.
"""

import base64
import io
import pathlib
import re

import nbformat
from PIL import Image

FOLDER = pathlib.Path(__file__).resolve().parent.parent / 'notebooks'
INDEX = FOLDER / 'index.ipynb'
WIDTH = 320  # pixels of a thumbnail
# The image of each tutorial, by its number among the images that the tutorial shows.
SHOWN = {'00': 0, '01': 9, '02': 7, '03': 0, '04': 4, '05': 7, '06': 0, '07': 1, '08': 4, '09': 2, '10': 0}
INTRODUCTION = '''# Tutorials

Start with the quickstart; the others can be read in any order. Each runs from top to bottom on a CPU, on data
that it generates itself, and is saved with its outputs. Times are for two idle CPU cores.'''


def tutorials() -> list[pathlib.Path]:
    """The paths of the tutorials in their order."""
    return sorted(path for path in FOLDER.glob('*.ipynb') if path != INDEX)


def entry(path: pathlib.Path) -> nbformat.NotebookNode:
    """The Markdown cell about a tutorial, with its thumbnail as an attachment."""
    notebook = nbformat.read(path, as_version=4)
    introduction = notebook.cells[0].source
    title = re.match('# (.*)', introduction)[1]
    learned = re.findall(r'^\d\. (.*)[,.]$', introduction, re.MULTILINE)
    duration = re.search(r'It takes (.*) on two idle CPU cores', introduction)[1]
    name = f'{path.stem}.png'
    parts = (f'## [{title}]({path.name})', f'![{title}](attachment:{name})',
             f'It takes {duration}. Afterwards you can', '\n'.join(f'- {line}' for line in learned))
    cell = nbformat.v4.new_markdown_cell('\n\n'.join(parts), id=path.stem)
    cell.attachments = {name: {'image/png': thumbnail(notebook, SHOWN[path.stem[:2]])}}
    return cell


def thumbnail(notebook: nbformat.NotebookNode, number: int) -> str:
    """An image among the outputs of a notebook, reduced to WIDTH, as a PNG in base64."""
    images = [data[kind] for cell in notebook.cells for output in cell.get('outputs', ())
              for data in [output.get('data', {})] for kind in ('image/png', 'image/jpeg') if kind in data]
    image = Image.open(io.BytesIO(base64.b64decode(images[number]))).convert('RGB')
    image.thumbnail((WIDTH, WIDTH))
    encoded = io.BytesIO()
    image.save(encoded, 'PNG', optimize=True)
    return base64.b64encode(encoded.getvalue()).decode('ascii')


def make_index() -> nbformat.NotebookNode:
    """The index of all tutorials."""
    cells = [nbformat.v4.new_markdown_cell(INTRODUCTION, id='introduction'), *map(entry, tutorials())]
    kernel = {'kernelspec': {'display_name': 'Python 3', 'language': 'python', 'name': 'python3'}}
    return nbformat.v4.new_notebook(cells=cells, metadata=kernel)


if __name__ == '__main__':
    nbformat.write(make_index(), INDEX)
