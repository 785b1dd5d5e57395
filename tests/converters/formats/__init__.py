"""The readers of weight files."""
