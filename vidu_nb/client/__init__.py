"""The client: from a request to a clip in the archive, asked for once."""
