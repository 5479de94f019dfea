"""Measures: does a seed reproduce, is each reference still there, and what does a ratio keep in frame."""
