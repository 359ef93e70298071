"""Analyses of ideas: scores, rankings, similarity, groups, lineage, summaries."""
