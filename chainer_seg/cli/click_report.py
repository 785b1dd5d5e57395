"""The figures of click models as tables, as JSON, and as curves."""

import pathlib

from chainer_seg.evaluation.click_benchmarks import BENCHMARKS
from chainer_seg.evaluation.clicks import CAP
from chainer_seg.files import atomic_write, write_json


def table(results, options):
    """The figures as text: a row for each method.

    Args:
        results: ``{title: ClickFigures}``.
        options: With ``thresholds``, ``clicks`` and ``cap``.
    """
    heads = ['method', *(f'NoC@{100 * goal:g}' for goal in options.thresholds),
             *(f'failed@{100 * goal:g}' for goal in options.thresholds),
             *(f'IoU@{count}' for count in options.clicks), 'ms/click']
    rows = [[title, *(f'{figures.noc(goal):.2f}' for goal in options.thresholds),
             *(f'{figures.failures(goal)}' for goal in options.thresholds),
             *(f'{figures.mean_ious[count - 1]:.3f}' for count in options.clicks),
             f'{1000 * figures.seconds_per_click:.0f}'] for title, figures in results.items()]
    count = len(next(iter(results.values())).ious)
    return f'{count} objects, up to {options.cap} clicks on each\n' + _lines(heads, rows)


def class_table(results, thresholds):
    """The clicks of each category: a row for each of them."""
    several = len(results) > 1
    by_class = {title: figures.by_class() for title, figures in results.items()}
    heads = ['category', 'objects', *(f'NoC@{100 * goal:g}' + (f', {title}' if several else '')
                                      for title in results for goal in thresholds)]
    rows = [[name, str(len(figures.ious)),
             *(f'{by_class[title][name].noc(goal):.2f}' for title in results for goal in thresholds)]
            for name, figures in next(iter(by_class.values())).items()]
    return _lines(heads, rows)


def published(options, changed):
    """Lines of what was published for the benchmark; none where less than all of it is done.

    Args:
        options: As they were given.
        changed: Whether they ask for other objects or thresholds than the benchmark.
    """
    narrowed = options.max_objects or options.start_at > 1 or options.end_at or options.cap != CAP
    if not options.benchmark or changed or narrowed:
        return []
    benchmark = BENCHMARKS[options.benchmark]
    return [f'published for {benchmark.title}: NoC@{100 * benchmark.threshold:g} {clicks:.2f}, {method}'
            for method, clicks in benchmark.published.items()]


def write(results, options, seconds):
    """Writes the figures as JSON and their curves as an image, whose path it returns."""
    from chainer_seg.visualization import draw_click_curves
    methods = {title: {**figures.summary(options.thresholds, options.clicks),
                       'seconds_per_click': figures.seconds_per_click,
                       'ious': figures.ious.round(4).tolist()} for title, figures in results.items()}
    first = next(iter(results.values()))
    names = first.class_names
    settings = {name: getattr(options, name) for name in (
        'model', 'cap', 'benchmark', 'categories', 'per_category', 'least_area', 'seed')}
    write_json(options.out, {
        **settings, 'methods': methods, 'seconds': round(seconds, 1),
        'objects': [names[label] if names else str(label) for label in first.labels],
        'classes': {title: {name: each.summary(options.thresholds, options.clicks)
                            for name, each in figures.by_class().items()}
                    for title, figures in results.items()}}, indent=2)
    picture = pathlib.Path(options.out).with_suffix('.png')
    axes = draw_click_curves({title: figures.ious for title, figures in results.items()},
                             options.thresholds, max(options.thresholds))
    with atomic_write(picture) as temporary:
        axes[0].figure.savefig(temporary, dpi=120)
    return picture


def _lines(heads, rows):
    """A table whose first column is flush left, and all others flush right."""
    rows = [heads, ['-' * len(head) for head in heads], *rows]
    widths = [max(map(len, column)) for column in zip(*rows)]
    return '\n'.join(
        '| ' + ' | '.join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) + ' |'
        for row in rows)
