"""From shots to frames and a file."""
