"""Front ends in a page: plain JavaScript files, each a part, and the Python classes that join some of them to a widget."""
