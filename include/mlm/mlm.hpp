/*
 * mlm.hpp - mlm.h and compose.h for C++11: handles that free themselves, statuses
 * that throw, results in std::vector and std::string. What is used most has a method;
 * for all else a handle converts to the pointer that the C functions take, and can be
 * made from one that they return:
 *
 *     mlm::check(mlm_encoder_get_tensor(encoder, 0, &tensor));
 *
 * Handles move and do not copy. Options are mlm.h's structs, made by
 * mlm::defaults<mlm_corpus_options>(); a null pointer means the defaults.
 */
#ifndef MLM_HPP
#define MLM_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "mlm/compose.h"
#include "mlm/mlm.h"

namespace mlm {

/* what() is the library's line; status says which kind. */
class error : public std::runtime_error {
public:
    error(mlm_status status, const std::string &message)
        : std::runtime_error(message), status_(status) {}
    mlm_status status() const noexcept { return status_; }

private:
    mlm_status status_;
};

/* Throws for every negative status, and returns the others: MLM_OK and MLM_END. */
inline mlm_status check(mlm_status status)
{
    if (status < MLM_OK)
        throw error(status, mlm_last_error());
    return status;
}

/* ---- structs --------------------------------------------------------------- */

inline void init(mlm_runtime_options &s) { mlm_runtime_options_init(&s, sizeof s); }
inline void init(mlm_tokenizer_options &s) { mlm_tokenizer_options_init(&s, sizeof s); }
inline void init(mlm_vocab_options &s) { mlm_vocab_options_init(&s, sizeof s); }
inline void init(mlm_encode_options &s) { mlm_encode_options_init(&s, sizeof s); }
inline void init(mlm_batch &s) { mlm_batch_init(&s, sizeof s); }
inline void init(mlm_corpus_options &s) { mlm_corpus_options_init(&s, sizeof s); }
inline void init(mlm_corpus_info &s) { mlm_corpus_info_init(&s, sizeof s); }
inline void init(mlm_masker_options &s) { mlm_masker_options_init(&s, sizeof s); }
inline void init(mlm_encoder_config &s) { mlm_encoder_config_init(&s, sizeof s); }
inline void init(mlm_encoder_options &s) { mlm_encoder_options_init(&s, sizeof s); }
inline void init(mlm_tensor &s) { mlm_tensor_init(&s, sizeof s); }
inline void init(mlm_metrics &s) { mlm_metrics_init(&s, sizeof s); }
inline void init(mlm_trainer_options &s) { mlm_trainer_options_init(&s, sizeof s); }
inline void init(mlm_training &s) { mlm_training_init(&s); }

template <typename Struct> Struct defaults()
{
    Struct s;
    init(s);
    return s;
}

/* ---- handles --------------------------------------------------------------- */

template <typename Handle, void (*Free)(Handle *)> class handle {
public:
    handle() noexcept = default;
    explicit handle(Handle *owned) noexcept : owned_(owned) {}
    operator Handle *() const noexcept { return owned_.get(); }
    Handle *get() const noexcept { return owned_.get(); }

private:
    struct release {
        void operator()(Handle *owned) const noexcept { Free(owned); }
    };
    std::unique_ptr<Handle, release> owned_;
};

/* The pointers of strings, as the C functions take them. */
inline std::vector<const char *> pointers(const std::vector<std::string> &strings)
{
    std::vector<const char *> result;
    result.reserve(strings.size());
    for (const std::string &string : strings)
        result.push_back(string.c_str());
    return result;
}

class runtime : public handle<mlm_runtime, mlm_runtime_free> {
public:
    using handle::handle;

    /* threads as in mlm_runtime_options: 0 is one per core. */
    static runtime create(std::int32_t threads = 0)
    {
        mlm_runtime_options options = defaults<mlm_runtime_options>();
        options.threads = threads;
        return create(options);
    }
    static runtime create(const mlm_runtime_options &options)
    {
        mlm_runtime *out;
        check(mlm_runtime_create(&options, &out));
        return runtime(out);
    }
};

class tokenizer : public handle<mlm_tokenizer, mlm_tokenizer_free> {
public:
    using handle::handle;

    static tokenizer load(mlm_runtime *runtime, const std::string &path,
        const mlm_tokenizer_options *options = nullptr)
    {
        mlm_tokenizer *out;
        check(mlm_tokenizer_load(runtime, path.c_str(), options, &out));
        return tokenizer(out);
    }
    static tokenizer train(mlm_runtime *runtime, const std::vector<std::string> &paths,
        const mlm_vocab_options *vocab = nullptr, const mlm_tokenizer_options *options = nullptr)
    {
        mlm_tokenizer *out;
        check(mlm_tokenizer_train_files(runtime, pointers(paths).data(), paths.size(), vocab,
            options, &out));
        return tokenizer(out);
    }
    tokenizer add_words(const std::vector<std::string> &words) const
    {
        mlm_tokenizer *out;
        check(mlm_tokenizer_add_words(*this, pointers(words).data(), words.size(), &out));
        return tokenizer(out);
    }
    void save(const std::string &directory) const
    {
        check(mlm_tokenizer_save(*this, directory.c_str()));
    }
    std::vector<std::int32_t> encode(const std::string &text,
        const mlm_encode_options *options = nullptr) const
    {
        std::vector<std::int32_t> ids(text.size() + 2);
        std::size_t count = 0;
        check(mlm_tokenizer_encode(*this, text.data(), text.size(), options, ids.data(), nullptr,
            ids.size(), &count));
        ids.resize(count);
        return ids;
    }
    std::string decode(const std::vector<std::int32_t> &ids,
        std::int32_t flags = MLM_DECODE_SKIP_SPECIAL) const
    {
        std::string text(16 * ids.size(), '\0');
        std::size_t length = 0;
        mlm_status status = mlm_tokenizer_decode(*this, ids.data(), ids.size(), flags, &text[0],
            text.size(), &length);
        text.resize(length);
        if (status == MLM_ERR_CAPACITY)
            status = mlm_tokenizer_decode(*this, ids.data(), ids.size(), flags, &text[0],
                text.size(), &length);
        check(status);
        return text;
    }
    std::int32_t vocab_size() const { return mlm_tokenizer_vocab_size(*this); }
    std::int32_t id(const std::string &token) const { return mlm_tokenizer_id(*this, token.c_str()); }
    std::int32_t special(std::int32_t which) const { return mlm_tokenizer_special(*this, which); }
    std::string token(std::int32_t id) const
    {
        const char *token = mlm_tokenizer_token(*this, id);
        return token ? token : "";
    }
};

class corpus : public handle<mlm_corpus, mlm_corpus_free> {
public:
    using handle::handle;

    static corpus open(mlm_runtime *runtime, const mlm_tokenizer *tokenizer,
        const std::vector<std::string> &paths, const mlm_corpus_options *options = nullptr)
    {
        mlm_corpus *out;
        check(mlm_corpus_open(runtime, tokenizer, pointers(paths).data(), paths.size(), options,
            &out));
        return corpus(out);
    }
    mlm_corpus_info info() const
    {
        mlm_corpus_info info = defaults<mlm_corpus_info>();
        check(mlm_corpus_get_info(*this, &info));
        return info;
    }
    /* False at the end. The arrays last until the next call. */
    bool next(mlm_batch &batch) { return check(mlm_corpus_next(*this, &batch)) == MLM_OK; }
    void seek(std::int64_t position) { check(mlm_corpus_seek(*this, position)); }
};

class masker : public handle<mlm_masker, mlm_masker_free> {
public:
    using handle::handle;

    static masker create(mlm_runtime *runtime, const mlm_tokenizer *tokenizer,
        const mlm_masker_options *options = nullptr)
    {
        mlm_masker *out;
        check(mlm_masker_create(runtime, tokenizer, options, &out));
        return masker(out);
    }
    /* The arrays of the result last until the next call. */
    mlm_batch apply(const mlm_batch &batch)
    {
        mlm_batch masked = defaults<mlm_batch>();
        check(mlm_masker_apply(*this, &batch, &masked));
        return masked;
    }
};

class encoder : public handle<mlm_encoder, mlm_encoder_free> {
public:
    using handle::handle;

    static encoder create(mlm_runtime *runtime, const mlm_encoder_config &config,
        const mlm_encoder_options *options = nullptr)
    {
        mlm_encoder *out;
        check(mlm_encoder_create(runtime, &config, options, &out));
        return encoder(out);
    }
    static encoder load(mlm_runtime *runtime, const std::string &directory,
        const mlm_encoder_options *options = nullptr)
    {
        mlm_encoder *out;
        check(mlm_encoder_load(runtime, directory.c_str(), options, &out));
        return encoder(out);
    }
    /* Another handle on the same parameters, for another thread. */
    encoder share(mlm_runtime *runtime = nullptr)
    {
        mlm_encoder *out;
        check(mlm_encoder_share(*this, runtime, &out));
        return encoder(out);
    }
    /* New token i is the mean of pieces offsets[i] to offsets[i+1]-1. */
    encoder add_tokens(const std::vector<std::int32_t> &offsets,
        const std::vector<std::int32_t> &pieces) const
    {
        mlm_encoder *out;
        check(mlm_encoder_add_tokens(
            *this, offsets.data(), pieces.data(), offsets.empty() ? 0 : offsets.size() - 1, &out));
        return encoder(out);
    }
    void save(const std::string &directory, std::int32_t dtype = MLM_F32) const
    {
        check(mlm_encoder_save(*this, directory.c_str(), dtype));
    }
    mlm_encoder_config config() const
    {
        mlm_encoder_config config = defaults<mlm_encoder_config>();
        check(mlm_encoder_get_config(*this, &config));
        return config;
    }
    /* [N,H] */
    std::vector<float> forward(const mlm_batch &batch, std::int32_t layer = -1)
    {
        const std::int32_t N = batch.B > 0 ? batch.offsets[batch.B] : 0;
        std::vector<float> hidden(size(N, config().hidden_size));
        check(mlm_encoder_forward(*this, &batch, layer, hidden.data()));
        return hidden;
    }
    /* [B,H] */
    std::vector<float> embed(const mlm_batch &batch, std::int32_t pooling = MLM_POOL_MEAN,
        bool normalize = false)
    {
        std::vector<float> embeddings(size(batch.B, config().hidden_size));
        check(mlm_encoder_embed(*this, &batch, pooling, normalize, embeddings.data()));
        return embeddings;
    }
    void evaluate(const mlm_batch &batch, mlm_metrics &total)
    {
        check(mlm_encoder_evaluate(*this, &batch, &total));
    }

private:
    static std::size_t size(std::int32_t rows, std::int32_t columns)
    {
        return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
    }
};

class trainer : public handle<mlm_trainer, mlm_trainer_free> {
public:
    using handle::handle;

    static trainer create(mlm_runtime *runtime, mlm_encoder *encoder,
        const mlm_trainer_options &options)
    {
        mlm_trainer *out;
        check(mlm_trainer_create(runtime, encoder, &options, &out));
        return trainer(out);
    }
    static trainer resume(mlm_runtime *runtime, mlm_encoder *encoder, const std::string &directory,
        const mlm_trainer_options *options = nullptr)
    {
        mlm_trainer *out;
        check(mlm_trainer_resume(runtime, encoder, directory.c_str(), options, &out));
        return trainer(out);
    }
    void attach(const mlm_tokenizer *tokenizer, mlm_corpus *corpus, const mlm_masker *masker)
    {
        check(mlm_trainer_attach(*this, tokenizer, corpus, masker));
    }
    void accumulate(const mlm_batch &batch) { check(mlm_trainer_accumulate(*this, &batch)); }
    mlm_metrics update()
    {
        mlm_metrics metrics = defaults<mlm_metrics>();
        check(mlm_trainer_update(*this, &metrics));
        return metrics;
    }
    mlm_metrics metrics() const
    {
        mlm_metrics metrics = defaults<mlm_metrics>();
        check(mlm_trainer_get_metrics(*this, &metrics));
        return metrics;
    }
    void go_back(const std::string &directory, double rate_factor)
    {
        check(mlm_trainer_go_back(*this, directory.c_str(), rate_factor));
    }
    void save(const std::string &directory) { check(mlm_trainer_save(*this, directory.c_str())); }
};

/* ---- compositions ---------------------------------------------------------- */

/* mlm_train: MLM_OK, MLM_END or MLM_STOPPED; throws otherwise. */
inline mlm_status train(const mlm_training &training, mlm_metrics &last)
{
    const mlm_status status = mlm_train(&training, &last);
    return status == MLM_STOPPED ? status : check(status);
}

struct candidate {
    std::string token;
    float probability;
};

/* For each "[MASK]" in the text its K likeliest tokens. */
inline std::vector<std::vector<candidate>> fill_mask(const encoder &encoder,
    const tokenizer &tokenizer, const std::string &text, std::size_t K = 5)
{
    const std::size_t masks = text.size() / 6 + 1;
    std::vector<std::int32_t> ids(text.size() + 2), positions(masks), candidates(masks * K);
    std::vector<float> probabilities(masks * K);
    mlm_fill fill = mlm_fill();
    fill.ids = ids.data();
    fill.positions = positions.data();
    fill.candidates = candidates.data();
    fill.probabilities = probabilities.data();
    fill.capacity = ids.size();
    fill.masks = masks;
    fill.K = K;
    check(mlm_fill_mask(encoder, tokenizer, text.data(), text.size(), &fill));
    std::vector<std::vector<candidate>> result(fill.M);
    for (std::size_t m = 0; m < fill.M; ++m)
        for (std::size_t k = 0; k < K; ++k)
            result[m].push_back(candidate{tokenizer.token(candidates[m * K + k]),
                probabilities[m * K + k]});
    return result;
}

/* -log p of each token of a text but the special ones, masked in turn, in nats: their sum is the
   negative pseudo-log-likelihood. within_word: together with the pieces to its right of its word. */
inline std::vector<float> pseudo_losses(const encoder &encoder, const tokenizer &tokenizer,
    const std::string &text, bool within_word = true)
{
    const std::vector<std::int32_t> ids = tokenizer.encode(text);
    const std::int32_t N = static_cast<std::int32_t>(ids.size()), whole[2] = {0, N};
    const std::int32_t capacity = N > 16384 ? N : 16384, count = capacity / 3;
    std::vector<std::int32_t> labels(ids.size()), until(ids.size());
    std::vector<std::int32_t> room(3 * static_cast<std::size_t>(capacity) + 1);
    std::vector<float> losses(ids.size());
    mlm_copies copies = mlm_copies();
    copies.input_ids = room.data();
    copies.labels = copies.input_ids + capacity;
    copies.offsets = copies.labels + capacity;
    copies.count = count;
    copies.capacity = capacity;
    mlm_batch batch = defaults<mlm_batch>();
    batch.B = 1;
    batch.offsets = whole;
    batch.input_ids = ids.data();
    mlm_ask_each_token(tokenizer, &batch, within_word, labels.data(), until.data());
    batch.labels = labels.data();
    check(mlm_losses_in_turn(encoder, &batch, until.data(), tokenizer.special(MLM_TOKEN_MASK), &copies,
        losses.data()));
    std::size_t M = 0;
    for (std::int32_t label : labels)
        M += label >= 0;
    losses.resize(M);
    return losses;
}

} // namespace mlm

#endif // MLM_HPP
