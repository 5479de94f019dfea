"""Films: scenes that share a cast, previewed whole, paid for scene by scene, joined, and handed to other tools."""
