"""What lies on disk: clips, the journal of calls, budgets."""
