"""Joining: several clips as one, their packets copied where all have the same stream, else encoded once; and sound."""
