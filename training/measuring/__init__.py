"""What is measured of a served model: ideas, texts, scores, likelihoods, and what judges say."""
