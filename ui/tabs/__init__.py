"""One file per tab: `build(workspace)` and short callbacks."""
