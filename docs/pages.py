"""Generates the pages of the site that are not in docs/: a hook of mkdocs (mkdocs.yml).

README.md is the home page; the tutorials come from their notebooks, the published weights from
chainer_seg/public_files.toml, the API reference from the packages. Each text stays in one place.
"""

import base64
import importlib
import inspect
import pathlib
import posixpath
import re
from collections.abc import Iterator
from types import ModuleType

import nbconvert
import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Files of the repository that are pages, and where.
PAGES = {
    'README.md': 'index.md',
    'LICENSE': 'LICENSE.md',
    **{name: name for name in ('CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md')},
    **{f'benchmarks/{name}.md': f'benchmarks/{name}.md' for name in ('CPU', 'GPU', 'GROWTH')},
    **{f'chainer_seg/shipped/{path.name}': f'cards/{path.name}'
       for path in sorted(ROOT.glob('chainer_seg/shipped/*.md'))},
    **{f'notebooks/{path.name}': f'tutorials/{path.stem}.md'
       for path in sorted(ROOT.glob('notebooks/*.ipynb'))},
}

# The headings of published weights, by the class of the model that they become.
HEADINGS = {
    'ClickSegmenter': 'Interactive object selection', 'DeepLab': 'DeepLab-v2', 'DeepMask': 'DeepMask',
    'MaskRCNN': 'Mask R-CNN and Keypoint R-CNN', 'ResNetClassifier': 'ResNets to start a training from',
    'RitmHRNet': 'RITM', 'SharpMask': 'SharpMask', 'Yolact': 'YOLACT and YOLACT++',
    'YolactBackbone': 'Networks to start a YOLACT from', '': 'Other networks to start a training from'}

# The pages of the API reference: the modules on each.
MODULES = {
    'Essentials': ('instances', 'model_file', 'engines', 'images', 'errors'),
    'Models': ('models.base', 'models.click_model', 'models.click_session', 'models.detector',
               'models.deeplab', 'models.deepmask', 'models.mask_rcnn', 'models.ritm', 'models.yolact'),
    'Data sets': ('datasets',),
    'Recipes and training': ('recipes', 'training'),
    'Evaluation': ('evaluation',),
    'Long work': ('jobs', 'video'),
    'Visualization and widgets': ('visualization', 'widgets'),
    'Building blocks': ('links', 'functions', 'boxes', 'masks', 'run_length_masks'),
    'Converters': ('converters',),
}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Lists the generated pages in the navigation."""
    below = {folder: [page for page in PAGES.values() if page.startswith(f'{folder}/')]
             for folder in ('tutorials', 'cards')}
    below['api'] = ['api/index.md', *map(_reference_page, MODULES)]
    for section, folder in (('Tutorials', 'tutorials'), ('Shipped models', 'cards'), ('API', 'api')):
        next(_sections(config.nav, section)).extend(sorted(below[folder], key=_index_first))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the generated pages and the images in them."""
    for source, page in PAGES.items():
        if source.endswith('.ipynb'):
            for name, content in _tutorial(ROOT / source, page):
                files.append(File.generated(config, name, content=content))
        else:
            heading = '' if source.endswith('.md') else '# Licence\n\n'
            text = (ROOT / source).read_text(encoding='utf-8')
            files.append(File.generated(config, page, content=heading + text))
    for path in ROOT.glob('benchmarks/*.png'):
        files.append(File.generated(config, f'benchmarks/{path.name}', content=path.read_bytes()))
    for name, content in (('weights.md', published_weights()), *reference()):
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Makes links between files of the repository links between pages."""
    here = page.file.src_uri
    origin = posixpath.dirname(next((source for source, target in PAGES.items() if target == here),
                                    f'docs/{here}'))

    def link(match: re.Match) -> str:
        target, anchor = re.fullmatch(r'([^#]*)(#.*)?', match[1]).groups(default='')
        path = posixpath.normpath(posixpath.join(origin, target))
        found = PAGES.get(path, path.removeprefix('docs/') if path.startswith('docs/') else None)
        if not target or found is None:
            return match[0]
        return f']({posixpath.relpath(found, posixpath.dirname(here) or ".")}{anchor})'

    return re.sub(r'\]\((?![a-z]+:)([^)\s]+)\)', link, markdown)


def published_weights() -> str:
    """The page about published weights: a table for each class of models."""
    from chainer_seg.zoo import SHIPPED, public_files
    lines = ['# Published weights', '',
             'Wherever a command or `load_model` takes a model, it takes these names: the file is downloaded '
             'and converted at first use. The figures are those of the authors. '
             '`chainer-seg download weights` prints the same list.', '']
    entries = public_files()['weights']
    for model in dict.fromkeys(entry.model for entry in entries.values()):
        lines += [f'## {HEADINGS[model]}', '', '| name | what | published figure | licence |',
                  '| --- | --- | --- | --- |']
        for name, entry in entries.items():
            if entry.model == model:
                what = ', '.join(filter(None, (entry.title, entry.size)))
                lines.append(f'| `{name}` | {what} | {entry.figure or "none"} | {entry.license} |')
        lines.append('')
    cards = ', '.join(f'[{name}](cards/{file.replace(".npz", ".md")})' for name, file in SHIPPED.items())
    return '\n'.join([*lines, f'The models that come with the package have cards: {cards}.', ''])


def reference() -> Iterator[tuple[str, str]]:
    """The name and the text of each page of the API reference."""
    lines = ['# API reference', '',
             'What the packages export, from their docstrings. Shapes are in the order of the axes: '
             '(R, H, W) are R masks of H rows and W columns.', '']
    for title, modules in MODULES.items():
        page, text, names = _reference_page(title), [f'# {title}', ''], [_full_name(each) for each in modules]
        for name in names:
            text += [f'::: {name}', '    options:', '      members: false', '']
            for path, home in _exported(importlib.import_module(name)):
                text += [f'::: {home}', '    options:', f'      heading: {path}',
                         '      heading_level: 3', '']
        lines.append(f'- [{title}]({posixpath.basename(page)}): {", ".join(f"`{name}`" for name in names)}')
        yield page, '\n'.join(text)
    yield 'api/index.md', '\n'.join(lines)


def _reference_page(title: str) -> str:
    return f'api/{title.lower().replace(" ", "_")}.md'


def _sections(nav: list, name: str) -> Iterator[list]:
    """The lists of a name in the navigation."""
    for entry in nav:
        for title, content in entry.items() if isinstance(entry, dict) else ():
            if title == name:
                yield content
            elif isinstance(content, list):
                yield from _sections(content, name)


def _index_first(page: str) -> bool:
    return not page.endswith('/index.md')


def _full_name(module: str) -> str:
    return module if module == 'converters' else f'chainer_seg.{module}'


def _exported(module: ModuleType) -> Iterator[tuple[str, str]]:
    """The path of each public class and function, and the path where it is defined."""
    for name in getattr(module, '__all__', None) or dir(module):
        value = getattr(module, name)
        if name.startswith('_') or not (inspect.isclass(value) or inspect.isfunction(value)):
            continue
        if value.__name__ == name and (hasattr(module, '__all__') or value.__module__ == module.__name__):
            yield f'{module.__name__}.{name}', f'{value.__module__}.{name}'


def _tutorial(source: pathlib.Path, page: str) -> Iterator[tuple[str, str | bytes]]:
    """A notebook as Markdown, and the images in it: their names and their content."""
    notebook = nbformat.read(source, as_version=4)
    text, resources = nbconvert.MarkdownExporter().from_notebook_node(
        notebook, {'output_files_dir': source.stem, 'unique_key': source.stem})
    text = re.sub(r'!\[(?:png|jpeg)\]\(', '![What the cell above shows](', text)
    text = re.sub(r'\(attachment:', f'({source.stem}/', text)
    title, _, rest = text.lstrip().partition('\n')
    yield page, f'{title}\n\n*The notebook `notebooks/{source.name}`, as it was saved.*\n{rest}'
    folder = posixpath.dirname(page)
    for name, content in resources['outputs'].items():
        yield f'{folder}/{name}', content
    for cell in notebook.cells:
        for name, contents in cell.get('attachments', {}).items():
            for content in contents.values():
                yield f'{folder}/{source.stem}/{name}', base64.b64decode(content)
