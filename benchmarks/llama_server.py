"""llama-server out of the package xllamacpp: `python llama_server.py '{"model": "…", "port": …}'`.

Run by the interpreter of `.venv-bench`, which has that package and nothing of ours. Every key but
`model` and `threads` is a parameter of llama.cpp's server by its own name; those that are not
given stay at its defaults.
"""

import json
import signal
import sys

import xllamacpp


def main() -> None:
    options = json.loads(sys.argv[1])
    parameters = xllamacpp.CommonParams()
    parameters.model.path = options.pop("model")
    threads = options.pop("threads")
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
    for name, value in options.items():
        # A misspelt name would otherwise leave a default in force and say nothing.
        getattr(parameters, name)
        setattr(parameters, name, value)
    # The server lives as long as this object.
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
