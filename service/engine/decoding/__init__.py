"""The model process: batching, decoding and sampling. Runs apart from the server."""
