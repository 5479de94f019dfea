"""HTTP and keys: one call, when to repeat it, and where its key comes from. Knows nothing of clips."""
