"""Widgets autosave beside their folder of labels, which is in the working folder by default."""

import pytest


@pytest.fixture(autouse=True)
def working_folder(tmp_path_factory, monkeypatch):
    """Every test has a working folder of its own."""
    monkeypatch.chdir(tmp_path_factory.mktemp('work'))
