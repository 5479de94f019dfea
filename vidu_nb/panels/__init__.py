"""The panel: every parameter as a widget."""
