"""Bundled models, samples and page files, found through the package when installed."""
