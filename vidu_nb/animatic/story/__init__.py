"""From a prompt to shots: pure functions over text."""
