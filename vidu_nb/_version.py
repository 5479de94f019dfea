"""The version: read by the build, and by whatever has to tell it."""

__version__ = "0.1.0"
HOMEPAGE = "https://github.com/OWNER/vidu-nb"  # OWNER as in README's Binder line
