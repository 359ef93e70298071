"""What a served model is worth: ideas, refinements, scores, likelihoods, and readers' verdicts."""
