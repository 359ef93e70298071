"""Who runs next: the queue in front of the models, and the requests in it."""
