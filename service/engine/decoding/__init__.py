"""The model process: batching, decoding and sampling, apart from the server."""
