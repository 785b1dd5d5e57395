"""Readers and generators of annotated images: COCO JSON files and the drawn shapes; they know no model."""
