"""What can be said of ideas: scores, rankings, similarity, groups, lineage, summaries."""
