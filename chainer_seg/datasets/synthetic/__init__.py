"""Synthetic data sets: annotated images of shapes and people that are rendered when they are read."""
