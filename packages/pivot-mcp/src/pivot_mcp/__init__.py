"""A server of the Model Context Protocol, which `pivot mcp` starts. It changes nothing unless that was allowed."""
