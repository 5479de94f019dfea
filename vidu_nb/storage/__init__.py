"""What is kept on disk: clips, the journal of calls, budgets."""
