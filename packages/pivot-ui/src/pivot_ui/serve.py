"""`pivot ui`: serves the page until it is interrupted."""
