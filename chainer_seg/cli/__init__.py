"""The command ``chainer-seg``: one module per subcommand, which parses, calls and prints."""
