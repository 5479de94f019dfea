"""Measures: does a seed reproduce, is each reference still there, and what does a ratio keep in frame."""

from ..libraries import check_library

check_library("cv2")  # before a module here imports it and fails in words of its own
