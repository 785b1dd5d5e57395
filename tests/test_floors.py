"""The floors of the package: a module imports only from floors below its own, and there are no circles.

Imports inside functions count as well: they are arrows all the same.
"""

import ast
import pathlib


PACKAGE = pathlib.Path(__file__).resolve().parent.parent / 'chainer_seg'

# The floor of each package or module of chainer_seg; what is not named is a leaf and may be imported
# from everywhere.
FLOORS = {
    'compat': 0,
    'functions': 1, 'boxes': 1, 'masks': 1, 'rle': 1, 'run_length_masks': 1,
    'links': 2, 'thumbnail': 2, 'instances': 2, 'images': 2, 'label_images': 2, 'mask_areas': 2,
    'mask_images': 2, 'mask_rules': 2, 'stored_pixels': 2, 'model_file': 2,
    'video': 3,
    'datasets': 3, 'models': 3, 'visualization': 3,
    'training': 4, 'evaluation': 4, 'engines': 4,
    'recipes': 5, 'jobs': 5,
    'cli': 6, 'widgets': 6,
    '__main__': 7,
}
LEAVES = {
    'array_files', 'arrays', 'bad_images', 'checksums', 'class_names', 'colors', 'command_line', 'devices',
    'downloads', 'errors', 'exif', 'file_kinds', 'files', 'foreign_files', 'lazy', 'locks', 'loss_share',
    'pillow_limit', 'pixel_values', 'protobuf_messages', 'published_classes', 'registry', 'schema',
    'signals', 'zoo'}

# Importers of weights know the models that they make, and no data set.
CONVERTERS = PACKAGE.parent / 'converters'
CLOSED_TO_CONVERTERS = {'datasets', 'visualization', 'training', 'evaluation', 'jobs', 'cli', 'widgets'}
# Modules of chainer_seg that may import the converters, inside functions only.
MAY_IMPORT_CONVERTERS = {
    'cli/convert.py', 'cli/export.py', 'widgets/weight_converter.py', 'widgets/weight_report.py',
    'model_file.py'}  # load_model converts published weights


def is_type_checking(test):
    """Whether a condition holds for type checkers alone, which may look up."""
    return ast.unparse(test) in ('TYPE_CHECKING', 'typing.TYPE_CHECKING')


def imports_of(path):
    """The modules of chainer_seg that a file imports when it runs, in dotted form."""
    tree = ast.parse(path.read_text(encoding='utf-8'))
    for_hints = {inner for node in ast.walk(tree) if isinstance(node, ast.If) and is_type_checking(node.test)
                 for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if node in for_hints:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for alias in node.names:
                yield f'{node.module}.{alias.name}'
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name


def room(module):
    """The package or module of chainer_seg that a dotted name is in, or None."""
    parts = module.split('.')
    return parts[1] if parts[0] == 'chainer_seg' and len(parts) > 1 else None


def arrows():
    """(file, its room, the room that it imports) of all imports between rooms."""
    for path in sorted(PACKAGE.rglob('*.py')):
        place = path.relative_to(PACKAGE.parent)
        own = room('.'.join(place.with_suffix('').parts))
        for module in imports_of(path):
            other = room(module)
            if own != '__init__' and other not in (None, own):
                yield place, own, other


def test_no_module_imports_from_a_higher_floor():
    wrong = sorted({f'{place} imports {other}' for place, own, other in arrows()
                    if other in FLOORS and FLOORS.get(own, -1) < FLOORS[other]})
    assert wrong == []


def test_rooms_of_one_floor_do_not_import_each_other_in_a_circle():
    known = {(own, other) for _, own, other in arrows()}
    circles = sorted({tuple(sorted(pair)) for pair in known if pair[::-1] in known})
    assert circles == []


def test_every_room_has_a_floor():
    rooms = {path.stem for path in PACKAGE.iterdir()
             if path.suffix == '.py' or (path / '__init__.py').exists()}
    assert rooms - {'__init__'} <= {*FLOORS, *LEAVES}


def test_converters_import_no_datasets():
    wrong = sorted({f'{path.relative_to(PACKAGE.parent)} imports {module}'
                    for path in CONVERTERS.rglob('*.py') for module in imports_of(path)
                    if room(module) in CLOSED_TO_CONVERTERS})
    assert wrong == []


def test_only_commands_the_widget_and_load_model_import_the_converters():
    importing = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob('*.py')
                 if any(module.split('.')[0] == 'converters' for module in imports_of(path))}
    assert importing <= MAY_IMPORT_CONVERTERS


def test_the_converters_are_imported_inside_functions_only():
    for name in MAY_IMPORT_CONVERTERS:
        tree = ast.parse((PACKAGE / name).read_text(encoding='utf-8'))
        at_the_top = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
        modules = [getattr(node, 'module', None) or node.names[0].name for node in at_the_top]
        assert not any(module.split('.')[0] == 'converters' for module in modules)
