"""A caller without a compiler: the installed library through ctypes.

usage: consumer.py LIBRARY
"""
import ctypes
import sys
from ctypes import POINTER, byref, c_char_p, c_int32, c_size_t, c_void_p

mlm = ctypes.CDLL(sys.argv[1])
mlm.mlm_last_error.restype = c_char_p
mlm.mlm_tokenizer_create.argtypes = [c_void_p, POINTER(c_char_p), c_size_t, c_void_p,
                                     POINTER(c_void_p)]
mlm.mlm_tokenizer_encode.argtypes = [c_void_p, c_char_p, c_size_t, c_void_p, POINTER(c_int32),
                                     POINTER(c_int32), c_size_t, POINTER(c_size_t)]
mlm.mlm_tokenizer_free.argtypes = [c_void_p]


def call(function, *arguments):
    if function(*arguments) != 0:
        sys.exit(f"{function.__name__}: {mlm.mlm_last_error().decode()}")


words = [b"[PAD]", b"[UNK]", b"[CLS]", b"[SEP]", b"[MASK]", b"the", b"cat", b"sat", b"##s"]
tokenizer, count, ids = c_void_p(), c_size_t(), (c_int32 * 16)()
call(mlm.mlm_tokenizer_create, None, (c_char_p * len(words))(*words), len(words), None,
     byref(tokenizer))
text = b"The cats sat"
call(mlm.mlm_tokenizer_encode, tokenizer, text, len(text), None, ids, None, len(ids), byref(count))
assert ids[:count.value] == [2, 5, 6, 8, 7, 3], ids[:count.value]
mlm.mlm_tokenizer_free(tokenizer)
assert mlm.mlm_tokenizer_create(None, None, 0, None, byref(tokenizer)) < 0
assert tokenizer.value is None and mlm.mlm_last_error()
