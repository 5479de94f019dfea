"""Previews of models that return pictures: designed cards, restyled pictures, swapped faces."""
