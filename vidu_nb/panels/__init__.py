"""The panels of a model and of a film: what is asked beside what is made, in one widget."""
