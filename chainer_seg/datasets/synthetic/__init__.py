"""Synthetic data sets: annotated images of shapes and people that the program draws when they are read."""
