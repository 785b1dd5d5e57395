"""Damaged and crafted files for every reader of the product; see docs/reliability.md."""
