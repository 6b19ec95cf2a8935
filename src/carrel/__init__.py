"""Carrel: documents go in; passages and cited answers come out. Every organisation has its own desk."""

__version__ = "0.1.0"
