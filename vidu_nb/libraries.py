"""Check the libraries whose version matters: another package may have brought its own in their place.

OpenCV comes as four packages that all install the same module, and the last one that pip unpacked wins, whatever the
others' metadata says. So the module itself is asked.
"""

from __future__ import annotations

import functools
import importlib
import re
from importlib import metadata
from typing import NamedTuple

from .errors import ViduError


class Library(NamedTuple):
    """A library as people call it, the package that pip installs, and the versions that work."""

    name: str
    package: str
    versions: str


#: By module; the versions are those in pyproject.toml.
LIBRARIES = {
    "av": Library("PyAV", "av", ">=18.1,<19"),
    "cv2": Library("OpenCV", "opencv-python-headless", ">=5,<6"),
}


@functools.lru_cache  # what is there and new enough stays so; what is not is looked for again
def check_library(module: str) -> None:
    """Make sure that a module can be imported and is not too old; a newer one than was tested may do, and is let pass.

    Raises
    ------
    ViduError
        What is installed, what is needed, and pip's command.

    >>> check_library("cv2")
    """
    library = LIBRARIES[module]
    least = re.findall(r">=([\d.]+)", library.versions)[0]
    try:
        found = str(importlib.import_module(module).__version__)
        problem = "" if _numbers(found) >= _numbers(least) else f"version {found} is installed"
    # A system library is missing, NumPy is another than it was built for, files are left over.
    except Exception as error:
        is_absent = isinstance(error, ModuleNotFoundError) and error.name == module
        problem = "it is not installed" if is_absent else f"what is installed can't be imported ({error})"
    if problem:
        owners = ", ".join(sorted(set(metadata.packages_distributions().get(module, ()))))
        source = f" (by {owners})" if owners else ""
        raise ViduError(
            f"{library.name} {least} or newer is needed, and {problem}{source}",
            remedy=f"Install it with: pip install --force-reinstall --no-deps '{library.package}{library.versions}', "
            "then restart the kernel. A package that needs another version wants an environment of its own.",
        )


def _numbers(version: str) -> tuple[int, ...]:
    """Return a version's leading numbers; what OpenCV's builds add, such as ``-dev``, is left out."""
    return tuple(map(int, re.findall(r"\d+", version.partition("-")[0])))
