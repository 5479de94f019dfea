"""Front ends in a page: plain JavaScript files, and the Python classes that join some of them to a widget."""
