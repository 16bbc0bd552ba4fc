/*
 * heldout.h - what is measured on held-out text, the same in pretrain and evaluate:
 * the same seed at the same places gives the same masks every time.
 */
#ifndef HELDOUT_H
#define HELDOUT_H

#include "args.h"

#include "mlm/compose.h"

struct heldout {
    mlm_corpus *corpus; /* NULL: there is none */
    mlm_masker *masker;
    double entropy; /* of the text's own tokens, nats */
    int pairs;      /* with next-sentence pairs       */
};

static inline mlm_status heldout_open(mlm_runtime *runtime, const mlm_tokenizer *tokenizer,
    const char *const *paths, size_t path_count, int64_t T, int pairs,
    const mlm_masker_options *masking, struct heldout *heldout)
{
    mlm_corpus_options corpus;
    mlm_masker_options fixed = *masking;
    mlm_corpus_info info;
    mlm_status status;
    mlm_corpus_options_init(&corpus, sizeof corpus);
    mlm_corpus_info_init(&info, sizeof info);
    corpus.T = (int32_t)T;
    corpus.epochs = 1;
    corpus.cache = spill_directory();
    if (pairs)
        corpus.packing = MLM_PACK_PAIRS;
    heldout->pairs = pairs;
    fixed.seed = 0;
    status = mlm_corpus_open(runtime, tokenizer, paths, path_count, &corpus, &heldout->corpus);
    if (status == MLM_OK)
        status = mlm_corpus_get_info(heldout->corpus, &info);
    if (status == MLM_OK)
        status = mlm_masker_create(runtime, tokenizer, &fixed, &heldout->masker);
    heldout->entropy = info.unigram_entropy;
    return status;
}

static inline void heldout_print(const struct heldout *heldout, const mlm_metrics *evaluation)
{
    printf(
        "held-out loss: %.3f nats, unigram entropy: %.3f nats", evaluation->loss, heldout->entropy);
    if (heldout->pairs)
        printf(", sentence loss: %.3f nats, accuracy: %.4f", evaluation->sentence_loss,
            evaluation->sentence_accuracy);
    putchar('\n');
    fflush(stdout);
}

static inline void heldout_close(struct heldout *heldout)
{
    mlm_corpus_free(heldout->corpus);
    mlm_masker_free(heldout->masker);
}

#endif /* HELDOUT_H */
