#include "workload.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/support.h"

static void *must_alloc(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory)
        return memory;
    fprintf(stderr, "train: no memory\n");
    exit(1);
}

static double uniform(uint64_t *state)
{
    return (double)(test_random(state) >> 11) * 0x1p-53;
}

/* ids NULL: random ones. As many labels as train_peers.py gives a batch, each choice as likely as
   another. */
static mlm_batch batch_of(int32_t B, const int32_t *lengths, const int32_t *ids, uint64_t *state)
{
    int32_t *offsets = must_alloc((size_t)B + 1, sizeof *offsets);
    for (int32_t b = 0; b < B; b++)
        offsets[b + 1] = offsets[b] + lengths[b];
    const size_t N = (size_t)offsets[B];
    int32_t *input_ids = must_alloc(N, sizeof *input_ids);
    int32_t *labels = must_alloc(N, sizeof *labels);
    size_t to_label = (size_t)(0.15 * (double)N + 0.5);
    for (size_t i = 0; i < N; i++) {
        input_ids[i] = ids ? ids[i] : (int32_t)(test_random(state) % VOCAB_SIZE);
        const bool labelled = test_random(state) % (N - i) < to_label;
        labels[i] = labelled ? input_ids[i] : MLM_NO_LABEL;
        to_label -= labelled;
    }
    return (mlm_batch){.struct_size = sizeof(mlm_batch),
        .B = B,
        .offsets = offsets,
        .input_ids = input_ids,
        .labels = labels};
}

workload workload_full(int32_t B, int32_t T)
{
    uint64_t state = 1;
    int32_t *lengths = must_alloc((size_t)B, sizeof *lengths);
    for (int32_t b = 0; b < B; b++)
        lengths[b] = T;
    workload w = {1, must_alloc(1, sizeof *w.batches)};
    w.batches[0] = batch_of(B, lengths, NULL, &state);
    free(lengths);
    return w;
}

/* As the first 20,000 non-empty lines of the English Wikipedia of 2014, headings among them, in
   tokens of bert-base-uncased, [CLS] and [SEP] included: 47 % have at most 20, of mean 7.58 and
   standard deviation 4.03 (7.60 and 3.82 here); the logarithm of the others' lengths has mean 4.19
   and standard deviation 0.62. */
static int32_t natural_length(uint64_t *state)
{
    enum { FEWEST = 4, SHORT = 20 };
    if (uniform(state) < 0.47) {
        const int32_t length = FEWEST + (int32_t)(-4.15 * log(1 - uniform(state)));
        return length > SHORT ? SHORT : length;
    }
    const double pi = acos(-1);
    const double normal = sqrt(-2 * log(1 - uniform(state))) * cos(2 * pi * uniform(state));
    const double length = exp(4.19 + 0.62 * normal);
    return length <= SHORT ? SHORT + 1 : length > MAX_LENGTH ? MAX_LENGTH : (int32_t)length;
}

workload workload_natural(void)
{
    uint64_t state = 1;
    workload w = {NATURAL_BATCHES, must_alloc(NATURAL_BATCHES, sizeof *w.batches)};
    for (size_t i = 0; i < w.count; i++) {
        int32_t lengths[NATURAL_TOKENS], B = 0;
        for (int32_t N = 0; N < NATURAL_TOKENS; N += lengths[B++])
            lengths[B] = natural_length(&state);
        w.batches[i] = batch_of(B, lengths, NULL, &state);
    }
    return w;
}

/* Fewer batches where the text ends early. */
static mlm_status cut_text(const mlm_tokenizer *tokenizer, FILE *text, workload *out)
{
    static int32_t ids[NATURAL_TOKENS + MAX_LENGTH], lengths[NATURAL_TOKENS];
    uint64_t state = 1;
    int32_t B = 0, N = 0;
    char *line = NULL;
    size_t capacity = 0, count;
    mlm_status status = MLM_OK;
    mlm_encode_options options;
    mlm_encode_options_init(&options, sizeof options);
    options.max_length = MAX_LENGTH;
    out->batches = must_alloc(NATURAL_BATCHES, sizeof *out->batches);
    for (ssize_t length; status == MLM_OK && out->count < NATURAL_BATCHES &&
                         (length = getline(&line, &capacity, text)) != -1;) {
        if (length <= 1)
            continue;
        status = mlm_tokenizer_encode(
            tokenizer, line, (size_t)length, &options, ids + N, NULL, MAX_LENGTH, &count);
        lengths[B++] = (int32_t)count;
        N += (int32_t)count;
        if (N >= NATURAL_TOKENS) {
            out->batches[out->count++] = batch_of(B, lengths, ids, &state);
            B = N = 0;
        }
    }
    free(line);
    return status;
}

mlm_status workload_text(const char *path, workload *out)
{
    mlm_tokenizer *tokenizer;
    *out = (workload){0};
    mlm_status status = mlm_tokenizer_train_files(NULL, &path, 1, NULL, NULL, &tokenizer);
    if (status != MLM_OK)
        return status;
    FILE *text = fopen(path, "rb");
    status = text ? cut_text(tokenizer, text, out) : MLM_ERR_IO;
    if (text)
        fclose(text);
    mlm_tokenizer_free(tokenizer);
    return status;
}

void workload_free(workload *w)
{
    for (size_t i = 0; i < w->count; i++) {
        free((void *)w->batches[i].offsets);
        free((void *)w->batches[i].input_ids);
        free((void *)w->batches[i].labels);
    }
    free(w->batches);
    *w = (workload){0};
}

double step_flops(const mlm_encoder_config *config, const mlm_batch *batch)
{
    const double H = config->hidden_size, I = config->intermediate_size;
    const double V = config->vocab_size, L = config->num_hidden_layers;
    const double N = batch->offsets[batch->B];
    double pairs = 0, asked = 0; /* of a query and a key: in a layer, in the last one */
    double M = 0;
    for (int32_t b = 0; b < batch->B; b++) {
        const double t = batch->offsets[b + 1] - batch->offsets[b];
        double labels = 0;
        for (int32_t i = batch->offsets[b]; i < batch->offsets[b + 1]; i++)
            labels += batch->labels[i] >= 0;
        pairs += t * t;
        asked += labels * t;
        M += labels;
    }
    const double layer = N * (4 * H * H + 2 * H * I) + 2 * H * pairs;
    const double last = N * 2 * H * H + M * (2 * H * H + 2 * H * I) + 2 * H * asked;
    const double head = M * (H * H + H * V);
    return 6 * ((L - 1) * layer + last + head);
}
