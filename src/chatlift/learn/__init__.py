"""Learning: pure functions from histories to judged models; no SQL, web, settings or clock."""
