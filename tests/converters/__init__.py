"""The converters; the genuine files are those of ../shared/data/formats."""
