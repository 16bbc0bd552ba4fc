"""libmlm from Python, through ctypes alone: an example to copy from, not a package.

The library is found as libmlm.so.0, or where the environment variable LIBMLM says. Handles free
themselves; a negative status becomes mlm.Error. A struct mirrors mlm.h only as far as its members
are used here: a shorter struct is a valid one. Whatever has no method here can be called as
mlm.lib.mlm_...; its handles are passed as they are.
"""
import ctypes
import os
from ctypes import POINTER, byref, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t, \
    c_uint32, c_uint64, c_void_p, sizeof

lib = ctypes.CDLL(os.environ.get("LIBMLM", "libmlm.so.0"))

END = 1  # the one status above MLM_OK
NO_LABEL = -100
F32, BF16 = range(2)
PAD, UNK, CLS, SEP, MASK = range(5)
LINEAR, COSINE, CONSTANT = range(3)

Ids = POINTER(c_int32)


class Error(Exception):
    """status is one of MLM_ERR_...; the text is the library's line."""

    def __init__(self, status):
        super().__init__(lib.mlm_last_error().decode())
        self.status = status


def _checked(status):
    if status < 0:
        raise Error(status)
    return status


# ---- structs ----------------------------------------------------------------------------------


class _Struct(ctypes.Structure):
    """RuntimeOptions(threads=2): the library's defaults, then what is given."""

    def __init__(self, **members):
        super().__init__()
        init = getattr(lib, self.init)
        init.restype, init.argtypes = None, [c_void_p, c_size_t]
        init(byref(self), sizeof(self))
        for name, value in members.items():
            if not hasattr(self, name):
                raise AttributeError(f"{type(self).__name__} has no member {name}")
            setattr(self, name, value)


def _struct(name, members):
    """members: "type name name ..." rows; every struct begins with its size."""
    fields = [("struct_size", c_uint32)]
    for kind, names in members:
        fields += [(member, kind) for member in names.split()]
    title = "".join(word.capitalize() for word in name.split("_"))
    return type(title, (_Struct,), {"_fields_": fields, "init": f"mlm_{name}_init"})


RuntimeOptions = _struct("runtime_options", [(c_int32, "threads log_level"), (c_uint32, "reserved0")])
VocabOptions = _struct("vocab_options", [
    (c_int32, "vocab_size min_frequency limit_alphabet special_count max_words")])
TokenizerOptions = _struct("tokenizer_options", [(c_int32, "profile lowercase strip_accents")])
CorpusOptions = _struct("corpus_options", [
    (c_int32, "B T input packing rank ranks"), (c_uint32, "reserved0"), (c_int64, "epochs"),
    (c_uint64, "seed")])
MaskerOptions = _struct("masker_options", [
    (c_int32, "strategy selection random_tokens"),
    (c_double, "mlm_probability mask_replace_prob random_replace_prob"),
    (c_int32, "max_predictions max_span"), (c_double, "span_p"), (c_uint64, "seed")])
EncoderConfig = _struct("encoder_config", [
    (c_int32, "vocab_size hidden_size num_hidden_layers num_attention_heads intermediate_size "
              "max_position_embeddings type_vocab_size hidden_act sentence_head pad_token_id "
              "untied_word_embeddings"),
    (c_double, "hidden_dropout_prob attention_probs_dropout_prob layer_norm_eps initializer_range")])
EncoderOptions = _struct("encoder_options", [
    (c_int32, "precision"), (c_uint64, "seed"), (c_int32, "sentence_head"), (c_uint32, "reserved0")])
TrainerOptions = _struct("trainer_options", [
    (c_int32, "lr_scheduler adam_bias_correction"), (c_uint32, "reserved0"),
    (c_int64, "warmup_steps total_steps"),
    (c_double, "learning_rate weight_decay adam_beta1 adam_beta2 adam_epsilon max_grad_norm "
               "hidden_dropout_prob attention_probs_dropout_prob"), (c_uint64, "seed"),
    (c_int32, "freeze_embeddings freeze_layers")])
Metrics = _struct("metrics", [
    (c_uint32, "reserved0"), (c_int64, "step position sequences tokens labels"),
    (c_double, "loss accuracy sentence_loss sentence_accuracy learning_rate grad_norm seconds "
               "loss_average lowest_loss rate_factor"), (c_int32, "stale bad_updates")])
Batch = _struct("batch", [
    (c_int32, "B"), (c_int64, "position"),
    (Ids, "offsets input_ids token_type_ids labels sentence_labels"), (c_void_p, "reserved0")])


def int32(values):
    """A C array of a list, or of a numpy array of any integer type."""
    values = values.ravel().tolist() if hasattr(values, "ravel") else list(values)
    return (c_int32 * len(values))(*values)


def make_batch(sequences, labels=None, position=0):
    """A batch of a caller's own: lists (or arrays) of ids and of labels, one for each sequence."""
    offsets = [0]
    for sequence in sequences:
        offsets.append(offsets[-1] + len(sequence))
    batch = Batch(B=len(offsets) - 1, position=position, offsets=int32(offsets),
                  input_ids=int32([int(i) for sequence in sequences for i in sequence]))
    if labels is not None:
        batch.labels = int32([int(i) for sequence in labels for i in sequence])
    return batch


# ---- functions and handles --------------------------------------------------------------------

for _name in """runtime_create tokenizer_load tokenizer_create tokenizer_train_files tokenizer_train
        tokenizer_save tokenizer_add_words encoder_add_tokens tokenizer_encode tokenizer_encode_pair tokenizer_encode_batch
        tokenizer_decode corpus_open corpus_read corpus_get_info corpus_next corpus_seek
        masker_create masker_apply encoder_config_load encoder_create encoder_load encoder_share
        encoder_save encoder_get_config encoder_forward encoder_embed encoder_logits
        encoder_predict encoder_losses encoder_sentence_logits encoder_evaluate
        encoder_get_tensor encoder_set_tensor trainer_create trainer_attach trainer_accumulate
        trainer_update trainer_set_learning_rate trainer_observe trainer_get_metrics
        trainer_save trainer_resume trainer_go_back trainer_get_gradient trainer_set_allreduce""".split():
    getattr(lib, "mlm_" + _name).restype = _checked
lib.mlm_last_error.restype = lib.mlm_tokenizer_token.restype = c_char_p


class Handle:
    """A handle: _as_parameter_ is what ctypes passes."""

    def __init__(self, kind, create, *arguments):
        self._as_parameter_ = c_void_p()
        self._free = getattr(lib, f"mlm_{kind}_free")
        self._free.restype, self._free.argtypes = None, [c_void_p]
        getattr(lib, f"mlm_{kind}_{create}")(*arguments, byref(self._as_parameter_))

    def __del__(self):
        self._free(self._as_parameter_)


def _paths(paths):
    return (c_char_p * len(paths))(*map(os.fsencode, paths)), c_size_t(len(paths))


def _options(options):
    return byref(options) if options is not None else None


def runtime(threads=0):
    return Handle("runtime", "create", byref(RuntimeOptions(threads=threads)))


class Tokenizer(Handle):
    @classmethod
    def load(cls, runtime, path, options=None):
        return cls("tokenizer", "load", runtime, os.fsencode(path), _options(options))

    @classmethod
    def train(cls, runtime, paths, vocab=None, options=None):
        return cls("tokenizer", "train_files", runtime, *_paths(paths), _options(vocab),
                   _options(options))

    def encode(self, text):
        text = text.encode()
        ids, count = (c_int32 * (len(text) + 2))(), c_size_t()
        lib.mlm_tokenizer_encode(self, text, c_size_t(len(text)), None, ids, None,
                                 c_size_t(len(ids)), byref(count))
        return ids[:count.value]

    def add_words(self, words):
        words = (c_char_p * len(words))(*(word.encode() for word in words))
        return Tokenizer("tokenizer", "add_words", self, words, c_size_t(len(words)))

    def token(self, id):
        return lib.mlm_tokenizer_token(self, c_int32(id)).decode()

    def special(self, which):
        return lib.mlm_tokenizer_special(self, c_int32(which))

    def __len__(self):
        return lib.mlm_tokenizer_vocab_size(self)


def corpus(runtime, tokenizer, paths, options=None):
    return Handle("corpus", "open", runtime, tokenizer, *_paths(paths), _options(options))


def batches(corpus):
    """The batches of a corpus; each lasts until the next."""
    batch = Batch()
    while lib.mlm_corpus_next(corpus, byref(batch)) != END:
        yield batch


def masker(runtime, tokenizer, options=None):
    return Handle("masker", "create", runtime, tokenizer, _options(options))


def apply_masks(masker, batch):
    masked = Batch()
    lib.mlm_masker_apply(masker, byref(batch), byref(masked))
    return masked


def encoder(runtime, config, options=None):
    return Handle("encoder", "create", runtime, byref(config), _options(options))


def load_encoder(runtime, directory, options=None):
    return Handle("encoder", "load", runtime, os.fsencode(directory), _options(options))


def fill_mask(encoder, tokenizer, text, K=5):
    """For each [MASK] of the text its K likeliest (token, probability)."""
    ids = tokenizer.encode(text)
    positions = int32(i for i, id in enumerate(ids) if id == tokenizer.special(MASK))
    M = len(positions)
    top, probabilities = (c_int32 * (M * K))(), (c_float * (M * K))()
    lib.mlm_encoder_predict(encoder, byref(make_batch([ids])), positions, c_size_t(M), c_size_t(K),
                            top, probabilities)
    pairs = [(tokenizer.token(id), p) for id, p in zip(top, probabilities)]
    return [pairs[m * K:(m + 1) * K] for m in range(M)]


def pseudo_losses(encoder, tokenizer, text, within_word=True):
    """-log p of each token of the text but the special ones, masked in turn, in nats: their sum is
    the negative pseudo-log-likelihood. within_word: with the pieces to its right of its word."""
    ids = tokenizer.encode(text)
    special = [tokenizer.special(which) for which in (PAD, CLS, SEP, MASK)]
    copies, labels = [], []
    for i, id in enumerate(ids):
        if id in special:
            continue
        end = i + 1
        while within_word and end < len(ids) and tokenizer.token(ids[end]).startswith("##"):
            end += 1
        copies.append(ids[:i] + [tokenizer.special(MASK)] * (end - i) + ids[end:])
        labels.append([NO_LABEL] * i + [id] + [NO_LABEL] * (len(ids) - i - 1))
    losses = (c_float * len(copies))()
    lib.mlm_encoder_losses(encoder, byref(make_batch(copies, labels)), losses)
    return list(losses)


def trainer(runtime, encoder, options):
    return Handle("trainer", "create", runtime, encoder, byref(options))


def update(trainer):
    metrics = Metrics()
    lib.mlm_trainer_update(trainer, byref(metrics))
    return metrics
