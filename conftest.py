"""What tests, docstrings' examples and notebooks share stands in `tests/common.py`."""

pytest_plugins = ["common"]
