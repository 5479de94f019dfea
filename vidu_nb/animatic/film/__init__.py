"""From shots to frames and a file."""

from ...libraries import check_library

for module in ("cv2", "av"):  # before a module here imports them, and long before a render fails
    check_library(module)
