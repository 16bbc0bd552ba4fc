// cpp_train: learns a vocabulary, trains a small BERT for some updates and fills a mask, in C++.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "mlm/mlm.hpp"

namespace {

int report(void *, const mlm_metrics *update, const mlm_metrics *)
{
    if (update->step % 10 == 0)
        std::printf("step %lld  loss %.3f nats\n", static_cast<long long>(update->step),
            update->loss);
    return MLM_CONTINUE;
}

void run(std::int64_t steps, const std::string &sentence, const std::vector<std::string> &paths)
{
    const mlm::runtime runtime = mlm::runtime::create();
    mlm_vocab_options vocab = mlm::defaults<mlm_vocab_options>();
    vocab.vocab_size = 4000;
    const mlm::tokenizer tokenizer = mlm::tokenizer::train(runtime, paths, &vocab);

    mlm_corpus_options reading = mlm::defaults<mlm_corpus_options>();
    reading.B = 16;
    reading.T = 64;
    const mlm::corpus corpus = mlm::corpus::open(runtime, tokenizer, paths, &reading);
    const mlm::masker masker = mlm::masker::create(runtime, tokenizer);

    mlm_encoder_config config = mlm::defaults<mlm_encoder_config>();
    config.vocab_size = tokenizer.vocab_size();
    config.hidden_size = 64;
    config.num_hidden_layers = 2;
    config.num_attention_heads = 2;
    config.intermediate_size = 256;
    config.max_position_embeddings = 64;
    const mlm::encoder encoder = mlm::encoder::create(runtime, config);

    mlm_trainer_options schedule = mlm::defaults<mlm_trainer_options>();
    schedule.learning_rate = 1e-3;
    schedule.total_steps = steps;
    schedule.warmup_steps = steps / 10;
    const mlm::trainer trainer = mlm::trainer::create(runtime, encoder, schedule);

    mlm_training training = mlm::defaults<mlm_training>();
    training.trainer = trainer;
    training.corpus = corpus;
    training.masker = masker;
    training.steps = steps;
    training.report = report;
    mlm_metrics last;
    mlm::train(training, last);

    for (const std::vector<mlm::candidate> &candidates :
        mlm::fill_mask(encoder, tokenizer, sentence))
        for (const mlm::candidate &candidate : candidates)
            std::printf("  %6.4f  %s\n", static_cast<double>(candidate.probability),
                candidate.token.c_str());
}

} // namespace

int main(int argc, char **argv)
{
    const bool help = argc == 2 && std::string(argv[1]) == "--help";
    if (argc < 4) {
        std::fprintf(help ? stdout : stderr, "usage: cpp_train STEPS TEXT-WITH-[MASK] FILE...\n");
        return help ? 0 : 2;
    }
    try {
        run(std::strtoll(argv[1], nullptr, 10), argv[2],
            std::vector<std::string>(argv + 3, argv + argc));
    } catch (const std::exception &error) {
        std::fprintf(stderr, "cpp_train: %s\n", error.what());
        return 1;
    }
    return 0;
}
