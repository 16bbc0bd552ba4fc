// A caller's C++ program: learns a vocabulary, trains a step, fills a mask, throws where it must.
#include <mlm/mlm.hpp>

#include <cstdio>
#include <cstring>

namespace {

// Three times the same words; then the end.
int read_text(void *user, char *buffer, std::size_t capacity, std::size_t *length)
{
    static const char text[] = "the cat sat .\nthe cats sat .\n\n";
    int &blocks = *static_cast<int *>(user);
    if (blocks-- > 0 && capacity >= sizeof text - 1) {
        std::memcpy(buffer, text, sizeof text - 1);
        *length = sizeof text - 1;
    }
    return MLM_CONTINUE;
}

void run()
{
    const mlm::runtime runtime = mlm::runtime::create(2);
    mlm_tokenizer *learned;
    int blocks = 3;
    mlm::check(mlm_tokenizer_train(runtime, read_text, &blocks, nullptr, nullptr, &learned));
    const mlm::tokenizer tokenizer(learned);

    mlm_encoder_config config = mlm::defaults<mlm_encoder_config>();
    config.vocab_size = tokenizer.vocab_size();
    config.hidden_size = 16;
    config.num_hidden_layers = 1;
    config.num_attention_heads = 2;
    config.intermediate_size = 32;
    config.max_position_embeddings = 32;
    mlm::encoder encoder = mlm::encoder::create(runtime, config);

    mlm_corpus_options corpus_options = mlm::defaults<mlm_corpus_options>();
    corpus_options.T = 32;
    mlm_corpus *opened;
    blocks = 3;
    mlm::check(mlm_corpus_read(runtime, tokenizer, read_text, &blocks, &corpus_options, &opened));
    mlm::corpus corpus(opened);
    mlm::masker masker = mlm::masker::create(runtime, tokenizer);

    mlm_trainer_options trainer_options = mlm::defaults<mlm_trainer_options>();
    trainer_options.total_steps = 1;
    mlm::trainer trainer = mlm::trainer::create(runtime, encoder, trainer_options);
    mlm_batch batch = mlm::defaults<mlm_batch>();
    if (!corpus.next(batch))
        throw std::runtime_error("an endless corpus ended");
    trainer.accumulate(masker.apply(batch));
    const mlm_metrics metrics = trainer.update();
    if (metrics.step != 1 || !(metrics.loss > 0))
        throw std::runtime_error("no update");

    const auto filled = mlm::fill_mask(encoder, tokenizer, "the [MASK] sat .", 3);
    if (filled.size() != 1 || filled[0].size() != 3)
        throw std::runtime_error("no candidates");
    try {
        mlm::encoder::load(runtime, "/nonexistent");
        throw std::runtime_error("a model from nowhere");
    } catch (const mlm::error &error) {
        if (error.status() != MLM_ERR_NOT_FOUND)
            throw;
    }
}

} // namespace

int main()
{
    try {
        run();
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
