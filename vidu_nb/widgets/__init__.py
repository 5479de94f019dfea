"""The front-end pieces that ipywidgets lacks: each a Python class of traits with one .js file beside it."""
