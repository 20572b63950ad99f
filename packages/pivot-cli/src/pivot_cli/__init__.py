"""The command line of Pivot."""
