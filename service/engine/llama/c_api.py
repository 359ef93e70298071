"""Loads llama.cpp's library and gives its C functions their types. Nothing else touches the file.

A library whose structures are not laid out as ours would corrupt memory without a word. So before
any other call it fills in the default parameters, into room that is larger than ours and marked:
the known values must be at our offsets, and what follows our structures must be untouched.
"""

import ctypes
import functools
import platform
from collections.abc import Mapping
from typing import Any

from service.engine.llama import structures
from service.engine.llama.libraries import NativeLibrary, best_library
from service.errors import ModelUnavailable
from service.messages import Text

_flag, _float, _int, _long, _size = (
    ctypes.c_bool,
    ctypes.c_float,
    ctypes.c_int32,
    ctypes.c_int64,
    ctypes.c_size_t,
)
_text, _handle = ctypes.c_char_p, ctypes.c_void_p
_bytes, _floats = ctypes.POINTER(ctypes.c_uint8), ctypes.POINTER(ctypes.c_float)

DEFAULTS: dict[str, type[ctypes.Structure]] = {
    "llama_model_default_params": structures.ModelParams,
    "llama_context_default_params": structures.ContextParams,
    "llama_model_quantize_default_params": structures.QuantizeParams,
    "llama_sampler_chain_default_params": structures.SamplerChainParams,
}
# The result and the arguments of every function that is called.
FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    **{name: (kind, []) for name, kind in DEFAULTS.items()},
    "llama_backend_init": (None, []),
    "llama_backend_free": (None, []),
    "llama_log_set": (None, [structures.LogCallback, _handle]),
    "llama_log_get": (
        None,
        [ctypes.POINTER(structures.LogCallback), ctypes.POINTER(ctypes.c_void_p)],
    ),
    "llama_model_load_from_file": (_handle, [_text, structures.ModelParams]),
    "llama_model_free": (None, [_handle]),
    "llama_model_quantize": (
        ctypes.c_uint32,
        [_text, _text, ctypes.POINTER(structures.QuantizeParams)],
    ),
    "llama_model_get_vocab": (_handle, [_handle]),
    "llama_model_chat_template": (_text, [_handle, _text]),
    "llama_model_n_ctx_train": (_int, [_handle]),
    "llama_model_n_embd": (_int, [_handle]),
    "llama_model_n_swa": (_int, [_handle]),
    "llama_model_is_hybrid": (_flag, [_handle]),
    "llama_model_is_recurrent": (_flag, [_handle]),
    "llama_model_n_params": (ctypes.c_uint64, [_handle]),
    "llama_model_size": (ctypes.c_uint64, [_handle]),
    "llama_vocab_n_tokens": (_int, [_handle]),
    "llama_vocab_bos": (_int, [_handle]),
    "llama_vocab_get_add_bos": (_flag, [_handle]),
    "llama_vocab_is_control": (_flag, [_handle, _int]),
    "llama_vocab_is_eog": (_flag, [_handle, _int]),
    "llama_tokenize": (
        _int,
        [_handle, _text, _int, ctypes.POINTER(_int), _int, _flag, _flag],
    ),
    "llama_token_to_piece": (_int, [_handle, _int, _text, _int, _int, _flag]),
    "llama_chat_apply_template": (
        _int,
        [_text, ctypes.POINTER(structures.ChatMessage), _size, _flag, _text, _int],
    ),
    "llama_init_from_model": (_handle, [_handle, structures.ContextParams]),
    "llama_free": (None, [_handle]),
    "llama_adapter_lora_init": (_handle, [_handle, _text]),
    "llama_set_adapters_lora": (_int, [_handle, ctypes.POINTER(_handle), _size, _floats]),
    "llama_batch_init": (structures.Batch, [_int, _int, _int]),
    "llama_batch_free": (None, [structures.Batch]),
    "llama_decode": (_int, [_handle, structures.Batch]),
    "llama_get_logits": (_floats, [_handle]),
    "llama_get_embeddings": (_floats, [_handle]),
    "llama_get_memory": (_handle, [_handle]),
    "llama_memory_seq_rm": (_flag, [_handle, _int, _int, _int]),
    "llama_memory_seq_cp": (None, [_handle, _int, _int, _int, _int]),
    "llama_state_seq_get_size": (_size, [_handle, _int]),
    "llama_state_seq_get_data": (_size, [_handle, _bytes, _size, _int]),
    "llama_state_seq_set_data": (_size, [_handle, _bytes, _size, _int]),
    "llama_sampler_chain_init": (_handle, [structures.SamplerChainParams]),
    "llama_sampler_chain_add": (None, [_handle, _handle]),
    "llama_sampler_init_greedy": (_handle, []),
    "llama_sampler_init_dist": (_handle, [ctypes.c_uint32]),
    "llama_sampler_init_top_k": (_handle, [_int]),
    "llama_sampler_init_top_p": (_handle, [_float, _size]),
    "llama_sampler_init_min_p": (_handle, [_float, _size]),
    "llama_sampler_init_temp": (_handle, [_float]),
    "llama_sampler_init_grammar": (_handle, [_handle, _text, _text]),
    "llama_sampler_apply": (None, [_handle, ctypes.POINTER(structures.TokenDataArray)]),
    "llama_sampler_accept": (None, [_handle, _int]),
    "llama_sampler_free": (None, [_handle]),
    "ggml_get_type_traits": (ctypes.POINTER(structures.TypeTraits), [ctypes.c_int]),
    "ggml_quantize_chunk": (
        _size,
        [ctypes.c_int, _handle, _handle, _long, _long, _long, _handle],
    ),
    "gguf_init_from_file": (_handle, [_text, structures.GgufInitParams]),
    "gguf_free": (None, [_handle]),
    "gguf_get_data_offset": (_size, [_handle]),
    "gguf_get_n_kv": (_long, [_handle]),
    "gguf_get_key": (_text, [_handle, _long]),
    "gguf_get_kv_type": (ctypes.c_int, [_handle, _long]),
    "gguf_get_val_str": (_text, [_handle, _long]),
    "gguf_get_val_f32": (_float, [_handle, _long]),
    "gguf_get_val_u16": (ctypes.c_uint16, [_handle, _long]),
    "gguf_get_n_tensors": (_long, [_handle]),
    "gguf_get_tensor_name": (_text, [_handle, _long]),
    "gguf_get_tensor_ne": (ctypes.POINTER(_long), [_handle, _long]),
    "gguf_get_tensor_type": (ctypes.c_int, [_handle, _long]),
    "gguf_get_tensor_offset": (_size, [_handle, _long]),
    "gguf_get_tensor_size": (_size, [_handle, _long]),
}
# Values by which the fields of the structures are recognised; the others are zero in a new one.
KNOWN: dict[str, Mapping[str, float]] = {
    "llama_model_default_params": {
        "n_gpu_layers": -1,
        "split_mode": 1,
        "load_mode": -1,
        "lazy_mode": 1,
        "main_gpu": 0,
        "vocab_only": False,
        "use_extra_bufts": True,
        "no_host": False,
        "load_mtp": False,
    },
    "llama_context_default_params": {
        "n_ctx": 512,
        "n_batch": 2048,
        "n_ubatch": 512,
        "n_seq_max": 1,
        "n_rs_seq": 0,
        "n_outputs_max": 0,
        "n_outputs_max_per_seq": 1,
        "n_threads": 4,
        "n_threads_batch": 4,
        "rope_scaling_type": -1,
        "flash_attn_type": -1,
        "rope_freq_base": 0.0,
        "yarn_ext_factor": -1.0,
        "yarn_beta_slow": -1.0,
        "yarn_orig_ctx": 0,
        "defrag_thold": -1.0,
        "type_k": 1,
        "type_v": 1,
        "embeddings": False,
        "offload_kqv": True,
        "no_perf": True,
        "op_offload": True,
        "swa_full": True,
        "kv_unified": False,
        "n_samplers": 0,
    },
    "llama_model_quantize_default_params": {
        "nthread": 0,
        "ftype": 7,
        "output_tensor_type": 43,
        "token_embedding_type": 43,
        "allow_requantize": False,
        "quantize_output_tensor": True,
        "only_copy": False,
        "dry_run": False,
        "max_buf_size": 8 << 30,
    },
    "llama_sampler_chain_default_params": {"no_perf": True},
}
OPENMP = Text("Install OpenMP’s library (on Debian and Ubuntu: apt-get install libgomp1).")
MARK = 0xAA
ROOM_BYTES = 256
# Here the caller passes the place of a returned structure as a hidden first argument, so that it
# can be marked beforehand (System V ABI, AMD64 supplement, 3.2.3).
MARKABLE = frozenset({"x86_64", "AMD64"})


@functools.cache
def c_api() -> Any:
    """The functions of the best library that is here; a process can hold only one.

    Raises:
        ModelUnavailable: there is none, or it is not the one it should be.
    """
    return load(best_library())


def load(library: NativeLibrary) -> Any:
    """Raises ModelUnavailable if the library does not load, or if it is laid out differently."""
    library.verify()
    try:
        api = ctypes.CDLL(str(library.path), mode=ctypes.RTLD_GLOBAL)
        for name, (result, arguments) in FUNCTIONS.items():
            function = getattr(api, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise ModelUnavailable(
            Text(
                "The library of llama.cpp in %(path)s cannot be used: %(error)s. %(advice)s",
                path=library.path,
                error=error,
                advice=OPENMP if "libgomp" in str(error) else library.advice,
            )
        ) from error
    check_layout(api, library)
    return api


def check_layout(api: Any, library: NativeLibrary) -> None:
    """Raises ModelUnavailable if a structure of the library differs from ours."""
    for name, kind in DEFAULTS.items():
        if not is_laid_out_as(getattr(api, name), kind, KNOWN[name]):
            raise ModelUnavailable(
                Text(
                    "The library of llama.cpp in %(path)s is another version than this Ideapool "
                    "uses (%(name)s differs). %(advice)s",
                    path=library.path,
                    name=kind.__name__,
                    advice=library.advice,
                )
            )


def is_laid_out_as(function: Any, kind: type[ctypes.Structure], known: Mapping[str, float]) -> bool:
    size = ctypes.sizeof(kind)
    # Structures of up to 16 bytes are returned in registers.
    if platform.machine() in MARKABLE and size > 16:
        room = (ctypes.c_ubyte * (size + ROOM_BYTES))(*[MARK] * (size + ROOM_BYTES))
        fill = _filling(function)
        fill(ctypes.addressof(room))
        if any(byte != MARK for byte in room[size:]):
            return False
        params = kind.from_buffer(room)
    else:
        params = function()
    return all(getattr(params, field) == value for field, value in known.items())


def _filling(function: Any) -> Any:
    """The function as one that fills a structure at an address."""
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    return ctypes.CFUNCTYPE(None, ctypes.c_void_p)(address)
