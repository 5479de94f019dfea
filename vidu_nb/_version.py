"""The version: read by the build, and by whatever has to tell it."""

__version__ = "0.1.0"
