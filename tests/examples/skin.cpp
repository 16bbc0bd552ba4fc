// mlm/mlm.hpp: every method, exceptions, ownership.
// usage: skin FOLDER, an empty one
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <type_traits>
#include <utility>

#include "mlm/mlm.hpp"

static_assert(!std::is_copy_constructible<mlm::tokenizer>::value, "handles do not copy");
static_assert(std::is_nothrow_move_constructible<mlm::tokenizer>::value, "handles move");

namespace {

int tests = 0, failures = 0;

void check(const char *name, const std::function<bool()> &holds)
{
    bool passed = false;
    std::string trouble = "it does not hold";
    try {
        passed = holds();
    } catch (const std::exception &error) {
        trouble = error.what();
    }
    std::printf("%sok %d - %s\n", passed ? "" : "not ", ++tests, name);
    if (!passed) {
        std::printf("# %s\n", trouble.c_str());
        ++failures;
    }
}

struct fixture {
    mlm::runtime runtime;
    mlm::tokenizer tokenizer;
    mlm::corpus corpus;
    mlm::masker masker;
    mlm::encoder encoder;
    mlm::trainer trainer;
};

fixture make(const std::string &folder)
{
    fixture f;
    const std::string path = folder + "/text.txt";
    std::ofstream text(path);
    for (int i = 0; i < 50; ++i)
        text << "the old cat sleeps .\nthe young bird sings .\n";
    text.close();
    f.runtime = mlm::runtime::create(1);
    f.tokenizer = mlm::tokenizer::train(f.runtime, {path});
    mlm_corpus_options reading = mlm::defaults<mlm_corpus_options>();
    reading.B = 4;
    reading.T = 16;
    reading.epochs = 1;
    f.corpus = mlm::corpus::open(f.runtime, f.tokenizer, {path}, &reading);
    f.masker = mlm::masker::create(f.runtime, f.tokenizer);
    mlm_encoder_config config = mlm::defaults<mlm_encoder_config>();
    config.vocab_size = f.tokenizer.vocab_size();
    config.hidden_size = config.intermediate_size = 16;
    config.num_hidden_layers = config.num_attention_heads = 1;
    config.max_position_embeddings = 16;
    f.encoder = mlm::encoder::create(f.runtime, config);
    mlm_trainer_options training = mlm::defaults<mlm_trainer_options>();
    training.lr_scheduler = MLM_LR_CONSTANT;
    f.trainer = mlm::trainer::create(f.runtime, f.encoder, training);
    f.trainer.attach(f.tokenizer, f.corpus, f.masker);
    return f;
}

/* One sentence; offsets has room for its batch. */
mlm_batch batch_of(const std::vector<std::int32_t> &ids, std::int32_t (&offsets)[2])
{
    mlm_batch batch = mlm::defaults<mlm_batch>();
    offsets[0] = 0;
    offsets[1] = static_cast<std::int32_t>(ids.size());
    batch.B = 1;
    batch.offsets = offsets;
    batch.input_ids = ids.data();
    return batch;
}

void check_tokenizer(const fixture &f, const std::string &folder)
{
    const std::vector<std::int32_t> ids = f.tokenizer.encode("The old cat.");
    check("encode and decode", [&] { return f.tokenizer.decode(ids) == "the old cat ."; });
    check("decode of more than its first guess", [&] {
        const std::vector<std::int32_t> many(100, f.tokenizer.special(MLM_TOKEN_MASK));
        return f.tokenizer.decode(many, 0).size() == 100 * 6 + 99;
    });
    check("decode of what is no id throws", [&] {
        try {
            f.tokenizer.decode({f.tokenizer.vocab_size()});
        } catch (const mlm::error &error) {
            return error.status() < MLM_OK && *error.what();
        }
        return false;
    });
    check("id and token", [&] {
        const std::int32_t id = f.tokenizer.special(MLM_TOKEN_MASK);
        return f.tokenizer.token(id) == "[MASK]" && f.tokenizer.id("[MASK]") == id
            && f.tokenizer.token(-1).empty();
    });
    check("save and load", [&] {
        f.tokenizer.save(folder + "/tokenizer");
        const mlm::tokenizer loaded = mlm::tokenizer::load(f.runtime, folder + "/tokenizer");
        return loaded.encode("The old cat.") == ids;
    });
}

void check_new_words(const fixture &f)
{
    check("words added to a tokenizer and a model", [&] {
        const std::int32_t V = f.tokenizer.vocab_size();
        mlm_encode_options plain = mlm::defaults<mlm_encode_options>();
        plain.add_special_tokens = 0;
        const std::vector<std::int32_t> pieces = f.tokenizer.encode("cats", &plain);
        const mlm::tokenizer longer = f.tokenizer.add_words({"cats", "The"});
        const mlm::encoder grown =
            f.encoder.add_tokens({0, static_cast<std::int32_t>(pieces.size())}, pieces);
        return pieces.size() > 1 && longer.vocab_size() == V + 1 && longer.id("cats") == V
            && grown.config().vocab_size == V + 1;
    });
    check("a word that is two throws", [&] {
        try {
            f.tokenizer.add_words({"old cat"});
        } catch (const mlm::error &error) {
            return error.status() == MLM_ERR_ARGUMENT;
        }
        return false;
    });
}

void check_training(fixture &f, const std::string &folder)
{
    mlm_batch batch = mlm::defaults<mlm_batch>();
    int batches = 0;
    check("corpus, masker, trainer", [&] {
        while (f.corpus.next(batch)) {
            ++batches;
            f.trainer.accumulate(f.masker.apply(batch));
            if (!(f.trainer.update().loss > 0))
                return false;
        }
        return batches > 1 && f.trainer.metrics().step == batches && f.corpus.info().sentences == 100;
    });
    check("seek", [&] {
        f.corpus.seek(0);
        return f.corpus.next(batch) && batch.position == 0;
    });
    check("evaluate", [&] {
        mlm_metrics total = mlm::defaults<mlm_metrics>();
        f.encoder.evaluate(f.masker.apply(batch), total);
        return total.loss > 0 && total.labels > 0;
    });
    check("save and resume", [&] {
        f.trainer.save(folder + "/model");
        const mlm::trainer resumed =
            mlm::trainer::resume(f.runtime, f.encoder, folder + "/model");
        return resumed.metrics().step == batches;
    });
    check("resume where nothing is throws what it is", [&] {
        try {
            mlm::trainer::resume(f.runtime, f.encoder, folder + "/nowhere");
        } catch (const mlm::error &error) {
            return error.status() == MLM_ERR_NOT_FOUND
                && std::string(error.what()).find("nowhere") != std::string::npos;
        }
        return false;
    });
}

void check_encoder(fixture &f, const std::string &folder)
{
    const std::vector<std::int32_t> ids = f.tokenizer.encode("the old cat");
    std::int32_t offsets[2];
    const mlm_batch batch = batch_of(ids, offsets);
    const std::vector<float> hidden = f.encoder.forward(batch);
    check("forward", [&] { return hidden.size() == 16 * ids.size(); });
    check("embed is the mean of forward", [&] {
        const std::vector<float> embedding = f.encoder.embed(batch);
        for (std::size_t h = 0; h < 16; ++h) {
            double mean = 0;
            for (std::size_t n = 0; n < ids.size(); ++n)
                mean += static_cast<double>(hidden[16 * n + h]) / static_cast<double>(ids.size());
            if (!(std::fabs(mean - static_cast<double>(embedding[h])) < 1e-5))
                return false;
        }
        return embedding.size() == 16;
    });
    check("a share computes the same", [&] {
        mlm::encoder share = f.encoder.share(f.runtime);
        return share.forward(batch) == hidden && share.config().hidden_size == 16;
    });
    check("save and load", [&] {
        f.encoder.save(folder + "/encoder");
        mlm::encoder loaded = mlm::encoder::load(f.runtime, folder + "/encoder");
        return loaded.forward(batch) == hidden;
    });
    check("fill_mask", [&] {
        const std::vector<std::vector<mlm::candidate>> filled =
            mlm::fill_mask(f.encoder, f.tokenizer, "the [MASK] [MASK]", 3);
        return filled.size() == 2 && filled[1].size() == 3
            && filled[1][0].probability >= filled[1][2].probability;
    });
    check("pseudo_losses: the last token's is that of its [MASK]", [&] {
        const std::string last = f.tokenizer.token(ids[ids.size() - 2]);
        const std::vector<float> losses = mlm::pseudo_losses(f.encoder, f.tokenizer, "the old cat");
        const std::vector<std::vector<mlm::candidate>> filled = mlm::fill_mask(f.encoder, f.tokenizer,
            "the old [MASK]", static_cast<std::size_t>(f.tokenizer.vocab_size()));
        for (const mlm::candidate &candidate : filled[0])
            if (candidate.token == last)
                return losses.size() == ids.size() - 2
                    && std::fabs(std::log(candidate.probability) + losses.back()) < 1e-4F;
        return false;
    });
    check("a handle moves", [&] {
        mlm::encoder moved = std::move(f.encoder);
        const bool empty = f.encoder.get() == nullptr;
        f.encoder = std::move(moved);
        return empty && f.encoder.forward(batch) == hidden;
    });
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    try {
        fixture f = make(argv[1]);
        check_tokenizer(f, argv[1]);
        check_new_words(f);
        check_training(f, argv[1]);
        check_encoder(f, argv[1]);
    } catch (const std::exception &error) {
        std::printf("Bail out! %s\n", error.what());
        return 1;
    }
    std::printf("1..%d\n", tests);
    return failures > 0;
}
