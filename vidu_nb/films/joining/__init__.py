"""Joining: packets are copied where all clips have one stream, else pictures are encoded once; and the sound."""
