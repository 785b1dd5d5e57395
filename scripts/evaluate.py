"""Evaluate a model: python scripts/evaluate.py MODEL [options]."""

from commands import by_model

from chainer_seg import command_line

# The class of a model, its protocols (the first is the default), and who carries them out.
MODULES = {
    'ClickSegmenter': {'clicks': 'evaluate_clicks'},
}


def main():
    by_model.run(__doc__, MODULES)


if __name__ == '__main__':
    command_line.run(main)
