"""`pivot mcp`: answers requests until its input ends."""
