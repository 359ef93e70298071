"""The documentation: pages in Markdown, and the package `generate` that makes some of them."""
